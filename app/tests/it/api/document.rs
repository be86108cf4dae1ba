//! The `OpenAPI` document: what is published, and that it says what is so.

use expect_test::expect_file;
use serde_json::Value;
use testkit::get;

use super::server;
use crate::support::{Page, docks};

/// The document as it is served.
async fn document(page: &Page) -> Value {
    serde_json::from_str(&page.get("/api/v1/openapi.json").await.text).unwrap()
}

#[tokio::test]
async fn the_document_is_the_one_that_is_published() {
    let document = document(&Page::with(docks())).await;
    let text = serde_json::to_string_pretty(&document).unwrap() + "\n";
    expect_file!["../../../../docs/openapi.json"].assert_eq(&text);
}

#[tokio::test]
async fn every_route_of_the_document_answers_as_it_says() {
    let Some((_city, server)) = server().await else {
        return;
    };
    let document = document(&Page::with(docks())).await;
    let paths = document["paths"].as_object().unwrap();
    for (path, item) in paths {
        let answer = get(server.address, &path.replace("{id}", "1")).await;
        let (head, json) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        let content = &item["get"]["responses"]["200"]["content"]["application/json"];
        let value = serde_json::from_str(json).unwrap();
        assert_eq!(
            difference(&document, &content["schema"], &value),
            None,
            "{path}: {json}"
        );
    }
    assert_eq!(paths.len(), 4);
    server.stop().await;
}

/// Where a value is not as its schema says: a field that is missing, unknown or of another type.
fn difference(document: &Value, schema: &Value, value: &Value) -> Option<String> {
    let parts = parts(document, schema);
    match value {
        Value::Object(fields) => {
            let required = parts.iter().filter_map(|part| part["required"].as_array());
            let mut required = required.flatten().filter_map(Value::as_str);
            let missing = required.find(|name| !fields.contains_key(*name));
            let schema_of = |name| parts.iter().find_map(|part| part["properties"].get(name));
            let mut differences = fields
                .iter()
                .filter_map(|(name, value)| match schema_of(name) {
                    Some(schema) => difference(document, schema, value),
                    None => Some(format!("{name} is unknown")),
                });
            let missing = missing.map(|name| format!("{name} is missing"));
            missing.or_else(|| differences.next())
        }
        Value::Array(items) => {
            let schema = &parts[0]["items"];
            let mut differences = items.iter().map(|item| difference(document, schema, item));
            differences.find_map(|difference| difference)
        }
        value => {
            let kinds = parts[0]["type"].to_string();
            let kind = match value {
                Value::String(_) => "\"string\"",
                Value::Bool(_) => "\"boolean\"",
                Value::Number(number) if number.is_f64() => "\"number\"",
                Value::Number(_) => "\"integer\"",
                _ => "\"null\"",
            };
            (!kinds.contains(kind)).then(|| format!("{value} is no {kinds}"))
        }
    }
}

/// The schemas that all hold for a value.
fn parts<'a>(document: &'a Value, schema: &'a Value) -> Vec<&'a Value> {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#'));
        return parts(document, target.expect(reference));
    }
    match schema["allOf"].as_array() {
        Some(all) => all.iter().flat_map(|part| parts(document, part)).collect(),
        None => vec![schema],
    }
}
