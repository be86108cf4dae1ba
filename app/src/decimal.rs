//! Numbers with a point as text. The standard library's ways read and write any float exactly, which takes
//! more of the page's script than the map's view does.

/// Writes a number with so many decimals, as `{:.5}` would but for zero, which has no sign.
pub(crate) fn fixed(number: f64, decimals: usize) -> String {
    let scale = 10_u32.pow(decimals as u32);
    let scaled = (number * f64::from(scale)).round_ties_even() as i64;
    let sign = if scaled < 0 { "-" } else { "" };
    let (whole, rest) = (
        scaled.unsigned_abs() / u64::from(scale),
        scaled.unsigned_abs() % u64::from(scale),
    );
    match decimals {
        0 => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{rest:0decimals$}"),
    }
}

/// Reads `-73.98195`; none if it is anything else.
pub(crate) fn parse(text: &str) -> Option<f64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (mut number, mut scale, mut has_point) = (0.0, 1.0, false);
    for byte in digits.bytes() {
        match byte {
            b'0'..=b'9' => {
                number = number * 10.0 + f64::from(byte - b'0');
                scale *= if has_point { 10.0 } else { 1.0 };
            }
            b'.' if !has_point => has_point = true,
            _ => return None,
        }
    }
    let is_number = digits.bytes().any(|byte| byte != b'.') && f64::is_finite(number);
    let number = number / scale;
    is_number.then_some(if digits.len() < text.len() {
        -number
    } else {
        number
    })
}

/// Reads `-12`; none if it is anything else, or does not fit.
pub(crate) fn integer<T: TryFrom<i64>>(text: &str) -> Option<T> {
    whole(text)?.try_into().ok()
}

/// Made once for all kinds.
fn whole(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let mut number = 0_i64;
    for byte in digits.bytes() {
        let digit = byte.is_ascii_digit().then(|| i64::from(byte - b'0'))?;
        number = number.checked_mul(10)?.checked_add(digit)?;
    }
    let number = if digits.len() < text.len() {
        -number
    } else {
        number
    };
    (!digits.is_empty()).then_some(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_decimal_number_is_none() {
        for text in [
            "", "-", ".", "1e5", "1.2.3", "+1", "inf", "NaN", " 1", "--1",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
        assert_eq!(parse(&"9".repeat(400)), None);
    }

    #[test]
    fn what_is_no_whole_number_or_too_large_is_none() {
        for text in ["", "-", "1.0", "+1", " 1", "--1", "256", "-1"] {
            assert_eq!(integer::<u8>(text), None, "{text:?}");
        }
        assert_eq!(integer::<i64>(&"9".repeat(20)), None);
    }

    proptest! {
        #[test]
        fn degrees_are_read_as_the_standard_library_reads_them(degrees in -180.0..180.0_f64) {
            let text = degrees.to_string();
            let read = parse(&text).unwrap();
            prop_assert!((read - degrees).abs() < 1e-13, "{text} {read}");
            let metres = format!("{degrees:.5}");
            prop_assert_eq!(parse(&metres), metres.parse().ok());
        }

        #[test]
        fn whole_numbers_are_read_as_they_are_written(number: i32) {
            prop_assert_eq!(integer(&number.to_string()), Some(number));
        }

        #[test]
        fn numbers_are_written_as_the_standard_library_writes_them(
            scaled in -1_000_000_000..1_000_000_000_i64,
            decimals in 0..=5_usize,
        ) {
            // Not in the middle between two, where a float is a little more or less.
            let number = (scaled as f64 + 0.25) / 10_f64.powi(decimals as i32);
            prop_assert_eq!(fixed(number, decimals), format!("{number:.decimals$}"));
        }
    }

    #[test]
    fn zero_has_no_sign() {
        assert_eq!(fixed(-0.000_001, 5), "0.00000");
        assert_eq!(fixed(-0.000_01, 5), "-0.00001");
        assert_eq!(fixed(2.0, 0), "2");
    }
}
