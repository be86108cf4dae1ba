//! Settings of librdkafka, by its own names, from flags and files.

use std::fmt;

/// Settings in the order in which they are made: of two with one name the later one holds.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct KafkaProperties(Vec<(String, String)>);

/// A text that is no setting. It is not repeated, because it may hold a password.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PropertyError {
    /// Given by itself.
    #[error("a setting of the Kafka client has the form NAME=VALUE")]
    Form,
    /// In a file.
    #[error("line {0} is not of the form NAME=VALUE")]
    Line(usize),
}

impl KafkaProperties {
    /// Adds `NAME=VALUE`.
    ///
    /// # Errors
    /// If the text has no `=`.
    pub fn add(&mut self, text: &str) -> Result<(), PropertyError> {
        match text.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => {
                let (name, value) = (name.trim(), value.trim());
                self.0.push((name.to_owned(), value.to_owned()));
                Ok(())
            }
            _ => Err(PropertyError::Form),
        }
    }

    /// Adds the lines of a file as kcat and librdkafka's tools read them: `NAME=VALUE`, `#` begins
    /// a line that says nothing.
    ///
    /// # Errors
    /// The first line that is neither.
    pub fn add_file(&mut self, text: &str) -> Result<(), PropertyError> {
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
            if !line.is_empty() && !line.starts_with('#') {
                self.add(line).map_err(|_| PropertyError::Line(number))?;
            }
        }
        Ok(())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(String, String)> {
        self.0.iter()
    }
}

/// Names only: values may be passwords.
impl fmt::Debug for KafkaProperties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(name, _)| name))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_lines_of_settings_and_shows_no_value() {
        let mut properties = KafkaProperties::default();
        let file = "# of the team\n\nsecurity.protocol = SASL_SSL\r\nsasl.password=a=b #c\n";
        properties.add_file(file).unwrap();
        properties.add("client.id=x").unwrap();
        let pairs: Vec<_> = properties
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(
            pairs,
            [
                ("security.protocol", "SASL_SSL"),
                ("sasl.password", "a=b #c"),
                ("client.id", "x")
            ]
        );
        let shown = format!("{properties:?}");
        assert_eq!(
            shown,
            r#"["security.protocol", "sasl.password", "client.id"]"#
        );
    }

    #[test]
    fn what_is_no_setting_is_refused_by_its_line_and_not_repeated() {
        let mut properties = KafkaProperties::default();
        let refused = properties.add_file("client.id=x\nsecret\n").unwrap_err();
        assert_eq!(refused.to_string(), "line 2 is not of the form NAME=VALUE");
        let refused = properties.add("=secret").unwrap_err();
        assert_eq!(
            refused.to_string(),
            "a setting of the Kafka client has the form NAME=VALUE"
        );
    }
}
