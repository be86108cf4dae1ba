//! A text that is put into words later, when it is known whose.

use std::fmt;

use super::{Word, Words};

/// A text with its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    word: Word,
    values: Vec<Value>,
}

/// What stands in a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// The same in all languages: a name, a number, what was typed.
    Text(String),
    /// Another message.
    Message(Message),
}

impl Message {
    pub(crate) fn new<const N: usize>(word: Word, values: [Value; N]) -> Self {
        Self {
            word,
            values: values.into(),
        }
    }

    /// Which text it is.
    pub(crate) fn word(&self) -> Word {
        self.word
    }

    pub(crate) fn text(&self, words: Words) -> String {
        let text = |value: &Value| match value {
            Value::Text(text) => text.clone(),
            Value::Message(message) => message.text(words),
        };
        let values: Vec<_> = self.values.iter().map(text).collect();
        let values: Vec<_> = values.iter().map(String::as_str).collect();
        words.fill(self.word, &values)
    }
}

impl From<Word> for Message {
    fn from(word: Word) -> Self {
        Self::new(word, [])
    }
}

/// In English.
impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(Words::default()))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Text(number.to_string())
    }
}

impl From<Message> for Value {
    fn from(message: Message) -> Self {
        Self::Message(message)
    }
}

impl From<&Message> for Value {
    fn from(message: &Message) -> Self {
        Self::Message(message.clone())
    }
}
