//! Functions of numbers that a processor does not have. The browser has them; the page's script has none.

/// Makes a function of each: the browser's, or the standard library's.
macro_rules! functions {
    ($($(#[$doc:meta])* $name:ident($($argument:ident),+): $browser:expr, $standard:expr;)*) => {
        $(
            $(#[$doc])*
            pub(crate) fn $name($($argument: f64),+) -> f64 {
                #[cfg(feature = "hydrate")]
                return $browser;
                #[cfg(not(feature = "hydrate"))]
                return $standard;
            }
        )*
    };
}

#[cfg(feature = "hydrate")]
use js_sys::Math;

functions! {
    sin(angle): Math::sin(angle), angle.sin();
    cos(angle): Math::cos(angle), angle.cos();
    tan(angle): Math::tan(angle), angle.tan();
    asin(sine): Math::asin(sine), sine.asin();
    atan(tangent): Math::atan(tangent), tangent.atan();
    sinh(number): Math::sinh(number), number.sinh();
    asinh(number): Math::asinh(number), number.asinh();
    log2(number): Math::log2(number), number.log2();
    pow(base, exponent): Math::pow(base, exponent), base.powf(exponent);
}

/// A number, but no less than `least` and no more than `most`. The standard library's way would write what is
/// no number out in full before it panics, which takes more of the script than the rest of this file.
pub(crate) fn within(number: f64, least: f64, most: f64) -> f64 {
    number.max(least).min(most)
}

/// Two to the power of a number.
pub(crate) fn exp2(exponent: f64) -> f64 {
    pow(2.0, exponent)
}

/// Length of the way that leads so far across and so far down.
pub(crate) fn length(across: f64, down: f64) -> f64 {
    (across * across + down * down).sqrt()
}
