//! Unpacks what producers have packed, up to a limit: a few bytes may stand for gigabytes.

use std::io::{self, Read};

use fluvio_compression::Compression;
use fluvio_types::defaults::STORAGE_MAX_REQUEST_SIZE;

/// What one batch may be when it is unpacked, in bytes: what it may be when it is sent unpacked.
pub(crate) const UNPACKED_BYTES_MAX: usize = STORAGE_MAX_REQUEST_SIZE as usize;
/// Zstd keeps two to the power of this of what it has unpacked, in bytes. RFC 8878, 3.1.1.1.2, asks
/// for 8 MiB.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// Unpacks a batch's records; `None` if they are not packed.
///
/// # Errors
/// If they are not what they are said to be, or more than [`UNPACKED_BYTES_MAX`].
pub(crate) fn unpack_records(packing: Compression, records: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let Some(reader) = reader(packing, records)? else {
        return Ok(None);
    };
    let mut unpacked = Vec::new();
    limited(reader).read_to_end(&mut unpacked)?;
    check(unpacked.len() as u64)?;
    Ok(Some(unpacked))
}

/// Whether a batch's records can be unpacked, without keeping them.
///
/// # Errors
/// As [`unpack_records`].
pub(crate) fn check_packed(packing: Compression, records: &[u8]) -> io::Result<()> {
    let Some(reader) = reader(packing, records)? else {
        return Ok(());
    };
    check(io::copy(&mut limited(reader), &mut io::sink())?)
}

fn reader(packing: Compression, packed: &[u8]) -> io::Result<Option<Box<dyn Read + '_>>> {
    let reader: Box<dyn Read + '_> = match packing {
        Compression::None => return Ok(None),
        Compression::Gzip => Box::new(flate2::read::GzDecoder::new(packed)),
        Compression::Snappy => Box::new(snap::read::FrameDecoder::new(packed)),
        Compression::Lz4 => Box::new(lz4_flex::frame::FrameDecoder::new(packed)),
        Compression::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(packed)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            Box::new(decoder)
        }
    };
    Ok(Some(reader))
}

/// A byte more than the limit, to tell that there is more.
fn limited<R: Read>(reader: R) -> io::Take<R> {
    reader.take(UNPACKED_BYTES_MAX as u64 + 1)
}

fn check(bytes: u64) -> io::Result<()> {
    if bytes > UNPACKED_BYTES_MAX as u64 {
        let message = format!("a batch is more than {UNPACKED_BYTES_MAX} bytes unpacked");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKINGS: [Compression; 4] = [
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ];

    #[test]
    fn what_clients_pack_is_unpacked_up_to_the_largest_batch() {
        let records = vec![7; UNPACKED_BYTES_MAX];
        for packing in PACKINGS {
            let packed = packing.compress(&records).unwrap();
            assert_eq!(
                unpack_records(packing, &packed).unwrap(),
                Some(records.clone())
            );
            check_packed(packing, &packed).unwrap();
        }
        assert_eq!(unpack_records(Compression::None, &records).unwrap(), None);
    }

    #[test]
    fn a_batch_that_is_too_large_unpacked_is_refused_however_small_it_is_packed() {
        let records = vec![0; 8 * UNPACKED_BYTES_MAX];
        for packing in PACKINGS {
            let packed = packing.compress(&records).unwrap();
            for error in [
                unpack_records(packing, &packed).unwrap_err(),
                check_packed(packing, &packed).unwrap_err(),
            ] {
                assert_eq!(error.kind(), io::ErrorKind::FileTooLarge, "{packing}");
            }
        }
    }

    #[test]
    fn what_is_not_packed_as_it_says_is_refused() {
        for packing in PACKINGS {
            assert!(check_packed(packing, b"these are no packed records").is_err());
        }
    }
}
