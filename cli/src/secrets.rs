//! Texts for others' eyes: what could be a password is taken out.

/// What stands for a secret.
const MASK: &str = "***";
/// Names of settings that hold secrets have one of these in them.
const NAMES: [&str; 9] = [
    "password",
    "passwd",
    "secret",
    "token",
    "api_key",
    "apikey",
    "access_key",
    "private_key",
    "credential",
];

/// The text without the passwords of its addresses, and without what is set to a name of a secret:
/// `://user:…@`, `PGPASSWORD=…`, `"client_secret": "…"`, `alter role sink password '…'`.
pub(crate) fn masked(text: &str) -> String {
    let lines = text.split_inclusive('\n');
    lines
        .map(|line| without_values(&without_logins(line)))
        .collect()
}

/// A password that is not encoded as it should be may hold what else ends the part with the host: all up to
/// the word's last `@` is taken for the login.
fn without_logins(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some((before, behind)) = rest.split_once("://") {
        out += before;
        out += "://";
        let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>');
        let (word, after) = behind.split_at(behind.find(ends).unwrap_or(behind.len()));
        match word.rsplit_once('@') {
            Some((login, host)) => {
                let user = login.split(':').next().unwrap_or_default();
                out += &format!("{user}:{MASK}@{host}");
            }
            None => out += word,
        }
        rest = after;
    }
    out + rest
}

/// From the name of a secret on everything to the line's end, or in an address to a `&`.
fn without_values(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    let names = NAMES
        .iter()
        .filter_map(|name| Some(lower.find(name)? + name.len()));
    let Some(name_end) = names.min() else {
        return line.to_owned();
    };
    let (before, rest) = line.split_at(name_end);
    let Some(sign) = rest.find(['=', ':', '\'']) else {
        return line.to_owned();
    };
    let (name, value) = rest.split_at(sign + 1);
    let next = value.split_once('&').filter(|_| before.contains("://"));
    match next {
        Some((_, next)) => format!("{before}{name}{MASK}&{}", without_values(next)),
        None => {
            let end = if line.ends_with('\n') { "\n" } else { "" };
            format!("{before}{name}{MASK}{end}")
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_could_be_a_password_is_taken_out() {
        let text = r#"database_url = "postgres://rider:s3cret@db.example/bikes?sslmode=require"
fluvio = "sc.example:9003"
PGPASSWORD=s3cret
url=postgres://db.example/bikes?user=rider&password=s3cret&application_name=page
"client_secret": "s3cret"
sasl.password=s3cret
AWS_SESSION_TOKEN=s3cret
kafka://a:s3cret@one:9092 and kafka://b:s3cret@two:9092
token 7 of the text is not one
gbfs:https://feed.example/gbfs.json?api_key=s3cret&lang=en
alter role sink login password 's3cret'
"#;
        expect![[r#"
            database_url = "postgres://rider:***@db.example/bikes?sslmode=require"
            fluvio = "sc.example:9003"
            PGPASSWORD=***
            url=postgres://db.example/bikes?user=rider&password=***&application_name=page
            "client_secret":***
            sasl.password=***
            AWS_SESSION_TOKEN=***
            kafka://a:***@one:9092 and kafka://b:***@two:9092
            token 7 of the text is not one
            gbfs:https://feed.example/gbfs.json?api_key=***&lang=en
            alter role sink login password '***
        "#]]
        .assert_eq(&masked(text));
    }

    proptest! {
        #[test]
        fn a_secret_is_in_no_text_wherever_it_is_set(
            secret in "[A-Z0-9!$%&/?#@:]{8,20}",
            encoded in "[A-Z0-9!$%]{8,20}",
            before in "\\PC{0,20}",
            kind in 0_usize..6,
        ) {
            let secret = if kind == 3 { encoded } else { secret };
            let setting = match kind {
                0 => format!("postgres://rider:{secret}@db.example/bikes"),
                1 => format!("PGPASSWORD={secret}"),
                2 => format!("\"api_token\": \"{secret}\""),
                3 => format!("https://feed.example/gbfs.json?apikey={secret}"),
                4 => format!("create role page password '{secret}'"),
                _ => format!("sasl.password = '{secret}'"),
            };
            let text = masked(&format!("{before}\n{setting}\n{before}\n"));
            prop_assert!(before.contains(&secret) || !text.contains(&secret), "{}", text);
        }

        #[test]
        fn what_has_no_secret_stays_as_it_is(text in "[a-f0-9:/ =\n]{0,60}") {
            prop_assert_eq!(masked(&text), text);
        }
    }
}
