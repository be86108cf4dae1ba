//! Texts of strangers, made fit to be shown: a station's name, a search, a message.

/// Characters of a search that are read (chosen: longer than any address, short in every link).
pub(crate) const SEARCH_CHARS_MAX: usize = 200;

/// Characters of a station's name or id that are read (chosen: four times the longest known).
pub(crate) const NAME_CHARS_MAX: usize = 200;

/// The first `chars_max` characters as one line, with a blank for each that would not be seen as
/// itself: line ends, terminal escapes and other controls, and marks that turn the order around.
#[must_use]
pub(crate) fn one_line(text: &str, chars_max: usize) -> String {
    let shown = |c: char| if is_shown(c) { c } else { ' ' };
    text.chars().take(chars_max).map(shown).collect()
}

fn is_shown(c: char) -> bool {
    let turns_around = matches!(c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let ends_line = matches!(c, '\u{2028}' | '\u{2029}');
    !(c.is_control() || turns_around || ends_line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_by_characters_and_not_inside_one() {
        assert_eq!(one_line("É é ü", 3), "É é");
    }

    #[test]
    fn a_text_cannot_begin_a_line_colour_a_terminal_or_turn_its_order_around() {
        let hostile = "a\nb\r\u{1b}[31mc\u{7}\0\u{202e}d\u{2028}e\u{9b}f";
        assert_eq!(one_line(hostile, 99), "a b  [31mc   d e f");
    }
}
