//! Which language a rider reads: as chosen on the page, else the browser's.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::Deserialize;

use crate::words::Language;

/// Name of the cookie that keeps the choice.
const COOKIE: &str = "lang";

/// `?lang=es`, with which a page chooses.
#[derive(Debug, Default, Deserialize)]
struct LanguageQuery {
    /// Text, since an address can hold anything.
    lang: Option<String>,
}

/// The language that an address names.
pub(super) struct ChosenLanguage(pub(super) Option<Language>);

impl<S: Sync> FromRequestParts<S> for ChosenLanguage {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let query = Query::<LanguageQuery>::try_from_uri(&parts.uri);
        let code = query.ok().and_then(|Query(query)| query.lang);
        Ok(Self(code.and_then(|code| Language::of_code(&code))))
    }
}

impl ChosenLanguage {
    /// The header that has the browser keep the choice for a year.
    pub(super) fn cookie(&self) -> Option<(HeaderName, HeaderValue)> {
        let code = self.0?.code();
        let cookie = format!("{COOKIE}={code}; Path=/; Max-Age=31536000; SameSite=Lax");
        Some((header::SET_COOKIE, HeaderValue::try_from(cookie).ok()?))
    }
}

impl<S: Sync> FromRequestParts<S> for Language {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let ChosenLanguage(chosen) = ChosenLanguage::from_request_parts(parts, state).await?;
        let headers = &parts.headers;
        let language = chosen
            .or_else(|| kept(headers))
            .or_else(|| preferred(headers));
        Ok(language.unwrap_or_default())
    }
}

/// The choice that the browser has kept.
fn kept(headers: &HeaderMap) -> Option<Language> {
    let cookies = headers.get_all(header::COOKIE).iter();
    let cookies = cookies.filter_map(|cookies| cookies.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';'));
    pairs.find_map(|pair| {
        let (name, code) = pair.trim().split_once('=')?;
        Language::of_code(code).filter(|_| name == COOKIE)
    })
}

fn preferred(headers: &HeaderMap) -> Option<Language> {
    let header = headers.get(header::ACCEPT_LANGUAGE)?;
    Language::of_header(header.to_str().ok()?)
}
