//! Decompresses what producers have compressed, up to a limit: a few bytes may stand for gigabytes.

use std::io::{self, Read};

use fluvio_compression::Compression;
use fluvio_types::defaults::STORAGE_MAX_REQUEST_SIZE;

/// Largest batch when decompressed, in bytes: the largest that may be sent uncompressed.
pub(crate) const DECOMPRESSED_BYTES_MAX: usize = STORAGE_MAX_REQUEST_SIZE as usize;
/// Zstd keeps two to the power of this of what it has decompressed, in bytes. RFC 8878, 3.1.1.1.2,
/// recommends 8 MiB.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// Decompresses a batch's records; `None` if they are not compressed.
///
/// # Errors
/// If they are not what they are said to be, or more than [`DECOMPRESSED_BYTES_MAX`].
pub(crate) fn decompress(compression: Compression, records: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let Some(reader) = reader(compression, records)? else {
        return Ok(None);
    };
    let mut decompressed = Vec::new();
    limited(reader).read_to_end(&mut decompressed)?;
    check(decompressed.len() as u64)?;
    Ok(Some(decompressed))
}

/// Checks that a batch's records can be decompressed, without keeping them.
///
/// # Errors
/// As [`decompress`].
pub(crate) fn check_compressed(compression: Compression, records: &[u8]) -> io::Result<()> {
    let Some(reader) = reader(compression, records)? else {
        return Ok(());
    };
    check(io::copy(&mut limited(reader), &mut io::sink())?)
}

fn reader(compression: Compression, compressed: &[u8]) -> io::Result<Option<Box<dyn Read + '_>>> {
    let reader: Box<dyn Read + '_> = match compression {
        Compression::None => return Ok(None),
        Compression::Gzip => Box::new(flate2::read::GzDecoder::new(compressed)),
        Compression::Snappy => Box::new(snap::read::FrameDecoder::new(compressed)),
        Compression::Lz4 => Box::new(lz4_flex::frame::FrameDecoder::new(compressed)),
        Compression::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(compressed)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            Box::new(decoder)
        }
    };
    Ok(Some(reader))
}

/// Reads a byte more than the limit, so that [`check`] sees that there is more.
fn limited<R: Read>(reader: R) -> io::Take<R> {
    reader.take(DECOMPRESSED_BYTES_MAX as u64 + 1)
}

fn check(bytes: u64) -> io::Result<()> {
    if bytes > DECOMPRESSED_BYTES_MAX as u64 {
        let message = format!("a batch is more than {DECOMPRESSED_BYTES_MAX} bytes unpacked");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPRESSIONS: [Compression; 4] = [
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ];

    #[test]
    fn what_clients_pack_is_unpacked_up_to_the_largest_batch() {
        let records = vec![7; DECOMPRESSED_BYTES_MAX];
        for compression in COMPRESSIONS {
            let compressed = compression.compress(&records).unwrap();
            assert_eq!(
                decompress(compression, &compressed).unwrap(),
                Some(records.clone())
            );
            check_compressed(compression, &compressed).unwrap();
        }
        assert_eq!(decompress(Compression::None, &records).unwrap(), None);
    }

    #[test]
    fn a_batch_that_is_too_large_unpacked_is_refused_however_small_it_is_packed() {
        let records = vec![0; 8 * DECOMPRESSED_BYTES_MAX];
        for compression in COMPRESSIONS {
            let compressed = compression.compress(&records).unwrap();
            for error in [
                decompress(compression, &compressed).unwrap_err(),
                check_compressed(compression, &compressed).unwrap_err(),
            ] {
                assert_eq!(error.kind(), io::ErrorKind::FileTooLarge, "{compression}");
            }
        }
    }

    #[test]
    fn what_is_not_packed_as_it_says_is_refused() {
        for compression in COMPRESSIONS {
            assert!(check_compressed(compression, b"these are no packed records").is_err());
        }
    }
}
