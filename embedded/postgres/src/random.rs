//! Passwords and names that nobody can guess.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::{PostgresError, io_at};

/// Bytes of randomness in the password; written as twice as many hexadecimal digits.
pub(crate) const PASSWORD_BYTES: usize = 24;

/// [`PASSWORD_BYTES`] from the system's generator as hexadecimal digits.
pub(crate) fn random_hex() -> Result<String, PostgresError> {
    let source = Path::new("/dev/urandom");
    let mut bytes = [0; PASSWORD_BYTES];
    File::open(source)
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(io_at("read", source))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_differ_and_need_no_escaping_in_a_url() {
        let [a, b] = [random_hex().unwrap(), random_hex().unwrap()];
        assert_ne!(a, b);
        assert_eq!(a.len(), PASSWORD_BYTES * 2);
        assert!(a.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
