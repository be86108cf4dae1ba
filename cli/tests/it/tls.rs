//! A Fluvio and a Postgres that speak TLS, and only with those whose certificate they trust.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;
use std::process::Command;

use embedded_broker::Broker;
use embedded_postgres::Postgres;
use testkit::tls::{Authority, Identity, front};

use crate::machine::Machine;

const SOURCE: &str = "simulate:seed=9,trips=3000,days=1";
/// In the certificates; the SPU has a name of its own before it.
const DOMAIN: &str = "fluvio.test";
const NAMES: [&str; 2] = [DOMAIN, "*.fluvio.test"];

/// A broker behind TLS.
struct Secured {
    authority: Authority,
    client: Identity,
    /// Where TLS is spoken.
    address: String,
    broker: Broker,
    _folder: tempfile::TempDir,
}

impl Secured {
    async fn start(host: u8) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let broker = testkit::broker::start(&folder.path().join("fluvio")).await;
        let authority = Authority::default();
        let server = authority.issue("server", &NAMES);
        let address = front(broker.address(), host, server, authority.ca()).await;
        Self {
            client: authority.issue("client", &["sink.test"]),
            authority,
            address: address.to_string(),
            broker,
            _folder: folder,
        }
    }

    /// What a client that is trusted, and trusts, is told.
    fn flags(&self) -> Vec<String> {
        flags(
            &self.address,
            &self.authority.ca(),
            Some(&self.client),
            DOMAIN,
        )
    }
}

fn flags(address: &str, ca: &Path, client: Option<&Identity>, domain: &str) -> Vec<String> {
    let ca = ca.to_str().unwrap();
    let mut flags = vec![
        "--fluvio",
        address,
        "--fluvio-ca",
        ca,
        "--fluvio-domain",
        domain,
    ];
    if let Some(Identity { cert, key }) = client {
        let [cert, key] = [cert, key].map(|path| path.to_str().unwrap());
        flags.extend(["--fluvio-cert", cert, "--fluvio-key", key]);
    }
    flags.into_iter().map(str::to_owned).collect()
}

/// Runs it on another thread: the broker needs this one. Gives what it says, and whether it succeeds.
async fn run(mut command: Command) -> (String, bool) {
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = output.await.unwrap();
    let said = [output.stdout, output.stderr].concat();
    (String::from_utf8(said).unwrap(), output.status.success())
}

fn bikeshare(arguments: &[&str], flags: &[String]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bikeshare"));
    command.args(arguments).args(flags);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_a_load_goes_by_tls_and_by_certificates_that_are_renewed() {
    let secured = Secured::start(6).await;
    let machine = Machine::new();
    let mut up = machine.up(SOURCE);
    up.arg("--once").args(secured.flags());
    let (said, is_done) = run(up).await;
    assert!(is_done, "{said}");
    let expected = Machine::undisturbed(SOURCE).await;
    assert_eq!(machine.digest().await, expected);

    for (file, names) in [("server", &NAMES[..]), ("client", &["sink.test"])] {
        secured.authority.issue(file, names);
    }
    for arguments in [
        &["cluster", "diff"][..],
        &["smartmodule", "list"],
        &["doctor"],
    ] {
        let (said, is_done) = run(bikeshare(arguments, &secured.flags())).await;
        assert!(is_done, "{arguments:?}: {said}");
    }
    secured.broker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_trusted_is_refused_and_told_why() {
    let secured = Secured::start(7).await;
    let (address, ca) = (&secured.address, secured.authority.ca());
    let stranger = Authority::default();
    let other = stranger.issue("client", &["sink.test"]);
    let mixed = Identity {
        cert: secured.client.cert.clone(),
        key: other.key.clone(),
    };
    let client = Some(&secured.client);
    let missing = ca.with_file_name("none.pem");
    for (flags, reason) in [
        (flags(address, &ca, None, DOMAIN), "CertificateRequired"),
        (flags(address, &ca, Some(&other), DOMAIN), "UnknownCA"),
        (
            flags(address, &stranger.ca(), client, DOMAIN),
            "UnknownIssuer",
        ),
        (
            flags(address, &ca, client, "bikes.test"),
            "not valid for name \"bikes.test\"",
        ),
        (
            flags(address, &ca, client, "no name"),
            "\"no name\" is no name that a certificate can have",
        ),
        (
            flags(address, &missing, client, DOMAIN),
            "could not read certificates in PEM from",
        ),
        (
            flags(address, &secured.client.key, client, DOMAIN),
            "has no certificate in PEM",
        ),
        (
            flags(address, &ca, Some(&mixed), DOMAIN),
            "is not of the certificate",
        ),
    ] {
        let (said, is_done) = run(bikeshare(&["cluster", "diff"], &flags)).await;
        assert!(!is_done && said.contains(reason), "{reason}: {said}");
    }
    secured.broker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_for_a_cluster_that_is_named() {
    let machine = Machine::new();
    let authority = Authority::default();
    let mut up = machine.up(SOURCE);
    up.arg("--fluvio-ca").arg(authority.ca());
    let (said, is_done) = run(up).await;
    assert!(!is_done);
    assert!(said.contains("--fluvio-ca is for a cluster"), "{said}");
}

/// A private server that takes nobody without TLS and a certificate in the user's name; and its URL.
async fn postgres_by_tls(folder: &Path, authority: &Authority) -> (Postgres, String) {
    let postgres = testkit::postgres::start(folder.join("postgres")).await;
    let mut owner = testkit::postgres::connect(postgres.url()).await;
    let data: String = sqlx::query_scalar("show data_directory")
        .fetch_one(&mut owner)
        .await
        .unwrap();
    let server = authority.issue("server", &["127.0.0.1"]);
    let account = std::fs::metadata(&data).unwrap();
    let files = [
        (server.cert, "server.crt"),
        (server.key, "server.key"),
        (authority.ca(), "root.crt"),
    ];
    for (from, name) in files {
        let to = Path::new(&data).join(name);
        std::fs::copy(from, &to).unwrap();
        std::fs::set_permissions(&to, Permissions::from_mode(0o600)).unwrap();
        chown(&to, Some(account.uid()), Some(account.gid())).unwrap();
    }
    let rule = "hostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-full\n";
    std::fs::write(Path::new(&data).join("pg_hba.conf"), rule).unwrap();
    for statement in [
        "alter system set ssl_ca_file = 'root.crt'",
        "alter system set ssl = on",
        "select pg_reload_conf()",
    ] {
        sqlx::query(statement).execute(&mut owner).await.unwrap();
    }
    let url = postgres.url().split('?').next().unwrap().to_owned();
    (postgres, url)
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_is_reached_by_tls_with_a_certificate_and_by_no_other_way() {
    let folder = testkit::postgres::folder();
    let authority = Authority::default();
    let (postgres, url) = postgres_by_tls(folder.path(), &authority).await;
    let user = url.split("//").nth(1).unwrap().split(':').next().unwrap();
    let client = authority.issue(user, &["sink.test"]);
    let verified = |ca: &Path| format!("{url}?sslmode=verify-full&sslrootcert={}", ca.display());
    let identity = format!(
        "&sslcert={}&sslkey={}",
        client.cert.display(),
        client.key.display()
    );
    let migrate = |url: String| async move {
        let mut command = bikeshare(&["migrate"], &[]);
        command.env("DATABASE_URL", url);
        run(command).await
    };

    let good = verified(&authority.ca()) + &identity;
    testkit::wait_until("it has read its settings", async || {
        migrate(good.clone()).await.1
    })
    .await;
    let stranger = Authority::default();
    for (url, reason) in [
        (format!("{url}?sslmode=disable"), "no encryption"),
        (
            verified(&authority.ca()),
            "requires a valid client certificate",
        ),
        (verified(&stranger.ca()) + &identity, "UnknownIssuer"),
    ] {
        let (said, is_done) = migrate(url).await;
        assert!(!is_done && said.contains(reason), "{reason}: {said}");
    }
    postgres.shutdown().await.unwrap();
}
