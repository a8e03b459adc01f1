//! Whom TLS connections trust: the certificates of this machine, those of a file, or anyone.

use std::sync::{Arc, Mutex, PoisonError};

use runbook::{Error, Explain, Result};
use rustls_platform_verifier::Verifier;
use tokio_rustls::rustls;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};

/// Trusts what this machine trusts, and the certificates in this PEM text.
#[cfg(any(feature = "http", feature = "postgres"))]
pub(crate) fn system(pem: Option<&[u8]>) -> Result<ClientConfig> {
    checked_by(Arc::new(verifier(pem)?))
}

/// Trusts anyone.
#[cfg(any(feature = "http", feature = "postgres"))]
pub(crate) fn anyone() -> Result<ClientConfig> {
    checked_by(Arc::new(Witness::new(None)))
}

/// The judge of certificates of this machine.
pub(crate) fn verifier(pem: Option<&[u8]>) -> Result<Verifier> {
    let more = match pem {
        Some(pem) => certificates(pem)?,
        None => Vec::new(),
    };
    Verifier::new_with_extra_roots(more, provider()).context("read the certificates this machine trusts")
}

/// The certificates in a PEM text, at least one.
pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    let all: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| Error::new(format!("the PEM text cannot be read: {error}")))?;
    if all.is_empty() { Err(Error::new("there is no certificate in the PEM text")) } else { Ok(all) }
}

/// A configuration without client certificate, whose server is judged by this.
pub(crate) fn checked_by(verifier: Arc<dyn ServerCertVerifier>) -> Result<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let builder = builder.context("set up TLS")?;
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// Given explicitly everywhere: a library must not choose the provider of the whole process.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Trusts every certificate, but checks that the server holds its key, and remembers what a strict judge said.
#[derive(Debug)]
pub(crate) struct Witness {
    judge: Option<Verifier>,
    verdict: Mutex<Option<Result<(), String>>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Witness {
    pub(crate) fn new(judge: Option<Verifier>) -> Self {
        let algorithms = provider().signature_verification_algorithms;
        Self { judge, verdict: Mutex::default(), algorithms }
    }

    /// What the judge said of the certificate that was shown.
    #[cfg(feature = "tls")]
    pub(crate) fn verdict(&self) -> Option<Result<(), String>> {
        self.verdict.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some(judge) = &self.judge {
            let verdict = judge.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
            let verdict = verdict.map(drop).map_err(|error| error.to_string());
            *self.verdict.lock().unwrap_or_else(PoisonError::into_inner) = Some(verdict);
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
