//! TLS and logins: mirrored there and back through them; what is refused is said, with what to do.

use bridge::{BridgeConfig, BridgeError, KafkaProperties};
use expect_test::{Expect, expect};
use testkit::broker::FluvioNode;
use testkit::kafka::{KafkaCluster, PASSWORD, USER, cluster};

use crate::support::{assert_same, assert_same_in_fluvio, config, mirror};

/// As a file for `--kafka-config` has it.
fn login(protocol: &str, mechanism: &str, password: &str) -> String {
    format!(
        "security.protocol={protocol}\nsasl.mechanism={mechanism}\n\
         sasl.username={USER}\nsasl.password={password}\n"
    )
}

fn trusting(kafka: &KafkaCluster, login: &str) -> String {
    format!("{login}ssl.ca.location={}\n", kafka.certificate().display())
}

fn secured(brokers: String, file: &str, routes: &[&str]) -> BridgeConfig {
    let mut kafka_properties = KafkaProperties::default();
    kafka_properties.add_file(file).unwrap();
    BridgeConfig {
        kafka_properties,
        ..config(brokers, "secured", routes)
    }
}

/// There and back with this access, and compared through the open listener.
async fn check_mirrored(kafka: &KafkaCluster, topic: &str, brokers: String, file: &str) {
    let fluvio = FluvioNode::start().await;
    kafka.python(&["create", topic]).await;
    kafka.python(&["write", topic, "2000", "1", "2"]).await;
    let written = kafka.dump(topic).await;
    let back = format!("{topic}-back");
    for route in [format!("kafka:{topic}"), format!("fluvio:{topic}={back}")] {
        let mirrored = mirror(&fluvio, secured(brokers.clone(), file, &[&route])).await;
        assert_eq!(mirrored.unwrap().copied, 2000, "{route}");
    }
    assert_same_in_fluvio(&fluvio.dump(topic).await, &written);
    assert_same("back in Kafka", &kafka.dump(&back).await, &written);
}

/// Refused at the start, without a copy of anything.
async fn check_refused(brokers: String, file: &str, expected: &Expect) {
    let fluvio = FluvioNode::start().await;
    let config = secured(brokers, file, &["kafka:secret"]);
    let error = mirror(&fluvio, config).await.unwrap_err();
    let refused = matches!(
        error,
        BridgeError::Refused { .. } | BridgeError::Setting { .. }
    );
    assert!(refused, "{error:?}");
    let text = error.chain();
    assert!(!text.contains("wrong-password"), "{text}");
    expected.assert_eq(&without_numbers(&text));
}

/// Ports differ from run to run, OpenSSL's codes from version to version.
fn without_numbers(text: &str) -> String {
    let mut plain = String::new();
    for part in text.split_inclusive(|c: char| !c.is_ascii_digit()) {
        let digits = part.trim_end_matches(|c: char| !c.is_ascii_digit());
        plain.push_str(if digits.len() >= 4 { "N" } else { digits });
        plain.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    plain
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kafka_that_asks_for_a_login_is_mirrored_there_and_back() {
    let Some(kafka) = cluster().await else { return };
    let _others = kafka.alone.read().await;
    for (topic, mechanism) in [("plain", "PLAIN"), ("scram", "SCRAM-SHA-256")] {
        let file = login("SASL_PLAINTEXT", mechanism, PASSWORD);
        check_mirrored(kafka, topic, kafka.login_brokers(), &file).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kafka_with_tls_and_a_login_is_mirrored_there_and_back() {
    let Some(kafka) = cluster().await else { return };
    let _others = kafka.alone.read().await;
    let file = trusting(kafka, &login("SASL_SSL", "SCRAM-SHA-256", PASSWORD));
    check_mirrored(kafka, "tls", kafka.tls_brokers(), &file).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_refused_with_what_to_check() {
    let Some(kafka) = cluster().await else { return };
    let _others = kafka.alone.read().await;
    let file = login("SASL_PLAINTEXT", "PLAIN", "wrong-password");
    check_refused(kafka.login_brokers(), &file, &expect!["Kafka refuses the login: sasl_plaintext://127.0.0.1:N/bootstrap: SASL authentication error: Authentication failed: Invalid username or password; check sasl.mechanism, sasl.username and sasl.password"]).await;
    let file = trusting(kafka, &login("SASL_SSL", "SCRAM-SHA-256", "wrong-password"));
    check_refused(kafka.tls_brokers(), &file, &expect!["Kafka refuses the login: sasl_ssl://127.0.0.1:N/bootstrap: SASL authentication error: Authentication failed during authentication due to invalid credentials with SASL mechanism SCRAM-SHA-256; check sasl.mechanism, sasl.username and sasl.password"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_nobody_vouches_for_is_refused_with_what_to_check() {
    let Some(kafka) = cluster().await else { return };
    let _others = kafka.alone.read().await;
    let file = login("SASL_SSL", "SCRAM-SHA-256", PASSWORD);
    check_refused(kafka.tls_brokers(), &file, &expect!["no trusted connection to Kafka: sasl_ssl://127.0.0.1:N/bootstrap: SSL handshake failed: error:0AN:SSL routines::certificate verify failed: broker certificate could not be verified, verify that ssl.ca.location is correctly configured or root CA certificates are installed (install ca-certificates package); check security.protocol, and that ssl.ca.location names the authority that signed the broker's certificate"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_that_is_none_is_refused_without_its_value() {
    let brokers = || "127.0.0.1:9".to_owned();
    check_refused(brokers(), "sasl.pasword=wrong-password", &expect![[r#"the Kafka client cannot be set up so: No such configuration property: "sasl.pasword""#]]).await;
    let file = "security.protocol=SSL\nssl.ca.location=/nowhere/ca.pem";
    check_refused(brokers(), file, &expect!["the Kafka client cannot be set up so: ssl.ca.location failed: error:N:x509 certificate routines::system lib"]).await;
    let file = "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=GSSAPI";
    check_refused(brokers(), file, &expect!["the Kafka client cannot be set up so: No provider for SASL mechanism GSSAPI: recompile librdkafka with libsasl2 or openssl support. Current build options: PLAIN SASL_SCRAM OAUTHBEARER"]).await;
}
