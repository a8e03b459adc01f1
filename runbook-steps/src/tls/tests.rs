//! Certificates made for the moment, shown by a server on the loopback.

use rcgen::{CertificateParams, KeyPair};
use runbook::CheckExt as _;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::*;

#[cfg(feature = "testing")]
mod certbot;

/// A certificate that signed itself, and its key.
struct Own {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

fn own(names: &[&str], days: i64) -> Own {
    let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
        .expect("names are names");
    let now = std::time::SystemTime::now();
    params.not_before = (now - Duration::from_secs(400 * 86_400)).into();
    let shift = Duration::from_secs(days.unsigned_abs() * 86_400 + 3600);
    params.not_after = if days < 0 { (now - shift).into() } else { (now + shift).into() };
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("signs itself");
    Own { certificate, key }
}

/// Shows the certificate on a port of its own until the test ends.
async fn serve(own: &Own) -> u16 {
    let key = PrivateKeyDer::try_from(own.key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(trust::provider())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![own.certificate.der().clone()], key)
        .expect("a certificate");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = acceptor.accept(stream).await;
        }
    });
    port
}

fn file(own: &Own) -> (TempDir, PathBuf) {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("own.pem");
    std::fs::write(&path, own.certificate.pem()).expect("is written");
    (dir, path)
}

async fn ask(check: CertificateIsGood) -> Finding {
    check.check(&Context::local()).await.expect("is asked")
}

#[tokio::test]
async fn a_certificate_nobody_knows_fails_unless_its_issuer_is_trusted_or_does_not_matter() {
    let own = own(&["localhost", "app.example.org"], 90);
    let (_dir, path) = file(&own);
    let port = serve(&own).await;
    let check = certificate("localhost", port).valid_for(30.days());
    let finding = ask(check.clone()).await;
    assert!(matches!(&finding, Finding::Fail(why) if why.summary.contains("not trusted")), "{finding:?}");
    assert!(finding.evidence().lines.contains(&"for localhost, app.example.org".to_owned()), "{finding:?}");
    assert!(ask(check.clone().root_certificate(&path)).await.passes());
    assert!(ask(check.clone().any_issuer()).await.passes());
    let other = ask(certificate("localhost", port).root_certificate(&path).server_name("other.example.org")).await;
    assert!(matches!(&other, Finding::Fail(why) if why.summary.contains("not trusted")), "{other:?}");
}

#[tokio::test]
async fn time_and_names_are_judged() {
    let (_dir, path) = file(&own(&["*.example.org", "127.0.0.1"], 20));
    let check = certificate_file(&path);
    assert!(ask(check.clone().valid_for(19.days()).names("www.example.org").names("127.0.0.1")).await.passes());
    for (check, expected) in [
        (check.clone().valid_for(30.days()), "good for 20 days only, wanted 30 days"),
        (check.clone().names("example.org"), "not for `example.org`"),
        (check.clone().names("a.b.example.org"), "not for `a.b.example.org`"),
    ] {
        let finding = ask(check).await;
        assert!(matches!(&finding, Finding::Fail(why) if why.summary.contains(expected)), "{finding:?}");
    }
    let (_dir, path) = file(&own(&["localhost"], -3));
    let finding = ask(certificate_file(&path)).await;
    assert!(matches!(&finding, Finding::Fail(why) if why.summary.contains("expired 3 days ago")), "{finding:?}");
}

#[tokio::test]
async fn silence_is_unknown_and_what_is_no_certificate_an_error() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let silent = certificate("127.0.0.1", port).timeout(200.millis());
    assert!(matches!(ask(silent).await, Finding::Unknown(_)));
    drop(listener);
    let refused = certificate("127.0.0.1", port).within(200.millis());
    let finding = refused.check(&Context::local()).await.expect("is asked");
    assert!(matches!(finding, Finding::Unknown(_)), "{finding:?}");

    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("not.pem");
    std::fs::write(&path, "hello").expect("is written");
    let error = certificate_file(&path).check(&Context::local()).await.expect_err("cannot be read");
    assert!(format!("{error:#}").contains("not.pem"), "{error:?}");
}
