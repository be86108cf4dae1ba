//! JSON as the browser has parsed it: the page's script carries no parser of its own, which would be a
//! tenth of it.
//!
//! What is missing and what is of another kind is read as `null`: the server wrote it, so neither comes.
//! In tests `serde_json` stands in for the browser, so that they read what the server writes.

#[cfg(feature = "hydrate")]
use js_sys::{Array, JSON, Reflect};
#[cfg(feature = "hydrate")]
use wasm_bindgen::{JsCast as _, JsValue};

/// A value.
#[cfg(feature = "hydrate")]
#[derive(Debug)]
pub(crate) struct Json(JsValue);

#[cfg(feature = "hydrate")]
impl Json {
    /// None if the text is no JSON.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        JSON::parse(text).ok().map(Self)
    }

    /// A member of an object.
    pub(crate) fn get(&self, name: &str) -> Self {
        Self(Reflect::get(&self.0, &JsValue::from_str(name)).unwrap_or(JsValue::NULL))
    }

    /// The items of a list.
    pub(crate) fn items(&self) -> Vec<Self> {
        match self.0.dyn_ref::<Array>() {
            Some(list) => (0..list.length()).map(|at| Self(list.get(at))).collect(),
            None => Vec::new(),
        }
    }

    pub(crate) fn number(&self) -> Option<f64> {
        self.0.as_f64()
    }

    pub(crate) fn text(&self) -> Option<String> {
        self.0.as_string()
    }

    /// `true`, or a number that is not 0.
    pub(crate) fn is_true(&self) -> bool {
        self.0.is_truthy()
    }
}

/// A value, in tests.
#[cfg(not(feature = "hydrate"))]
#[derive(Debug)]
pub(crate) struct Json(serde_json::Value);

#[cfg(not(feature = "hydrate"))]
impl Json {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().map(Self)
    }

    pub(crate) fn get(&self, name: &str) -> Self {
        Self(self.0.get(name).cloned().unwrap_or_default())
    }

    pub(crate) fn items(&self) -> Vec<Self> {
        let list = self.0.as_array().cloned().unwrap_or_default();
        list.into_iter().map(Self).collect()
    }

    pub(crate) fn number(&self) -> Option<f64> {
        self.0.as_f64()
    }

    pub(crate) fn text(&self) -> Option<String> {
        self.0.as_str().map(str::to_owned)
    }

    pub(crate) fn is_true(&self) -> bool {
        let number = self.0.as_i64().is_some_and(|number| number != 0);
        self.0.as_bool().unwrap_or(number)
    }
}

impl Json {
    /// A whole number; all that are written are exact in a float.
    pub(crate) fn integer(&self) -> Option<i64> {
        self.number().map(|number| number as i64)
    }

    /// A whole number that fits.
    pub(crate) fn small(&self) -> Option<i32> {
        self.integer()?.try_into().ok()
    }
}
