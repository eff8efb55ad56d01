//! TLS to a PostgreSQL server, with libpq's meaning of `sslmode` and its files. It reads those files; the home folder is
//! passed in.
//!
//! Two things are stricter than in libpq: a file that was named and is missing is an error, and only the names in a
//! certificate's `subjectAltName` count for `verify-full`. One is laxer: with `allow` and `prefer`, which fall back to no TLS at
//! all, a certificate is looked at only where `sslrootcert` is named.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::config::{SslMode, SslOptions};

/// What begins TLS to a server; `None` where none is wanted.
pub(crate) fn connector(ssl: &SslOptions, home: Option<&Path>) -> Result<Option<MakeRustlsConnect>, String> {
    if ssl.mode == SslMode::Disable {
        return Ok(None);
    }
    let provider = Arc::new(ring::default_provider());
    let verifier = Verifier::new(ssl, home, provider.signature_verification_algorithms)?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let config = match Identity::find(ssl, home)? {
        Some(own) => builder.with_client_auth_cert(own.chain, own.key).map_err(|error| format!("our own certificate: {error}"))?,
        None => builder.with_no_client_auth(),
    };
    Ok(Some(MakeRustlsConnect::new(config)))
}

/// How closely a server's certificate is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    Nothing,
    Chain,
    ChainAndName,
}

/// Judges a server's certificate. Whatever is checked of it, the server has to prove that it has the key.
#[derive(Debug)]
struct Verifier {
    check: Check,
    roots: Roots,
    algorithms: WebPkiSupportedAlgorithms,
}

/// Who may sign, and the same certificates as they stand in the file.
#[derive(Debug)]
struct Roots {
    anchors: RootCertStore,
    certificates: Vec<CertificateDer<'static>>,
}

impl Verifier {
    fn new(ssl: &SslOptions, home: Option<&Path>, algorithms: WebPkiSupportedAlgorithms) -> Result<Self, String> {
        let roots = Roots::find(ssl, home)?;
        let check = match (ssl.mode, &roots) {
            (_, Some(_)) if ssl.trusts_browsers_roots() => Check::ChainAndName,
            (SslMode::VerifyFull, Some(_)) => Check::ChainAndName,
            (_, Some(_)) => Check::Chain,
            (_, None) => Check::Nothing,
        };
        let none = || Roots { anchors: RootCertStore::empty(), certificates: Vec::new() };
        Ok(Self { check, roots: roots.unwrap_or_else(none), algorithms })
    }

    fn check_chain(&self, own: &CertificateDer<'_>, between: &[CertificateDer<'_>], now: UnixTime) -> Result<(), Error> {
        let parsed = ParsedCertificate::try_from(own)?;
        match verify_server_cert_signed_by_trust_anchor(&parsed, &self.roots.anchors, between, now, self.algorithms.all) {
            // What one command of openssl makes signs itself, as an authority would. Whoever put that very certificate
            // into the file meant it; its dates were in order, or the error would be another.
            Err(Error::InvalidCertificate(CertificateError::Other(_))) if self.roots.certificates.iter().any(|root| root == own) => Ok(()),
            judged => judged,
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.check {
            Check::Nothing => {}
            Check::Chain => self.check_chain(end_entity, intermediates, now)?,
            Check::ChainAndName => {
                self.check_chain(end_entity, intermediates, now)?;
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl Roots {
    fn find(ssl: &SslOptions, home: Option<&Path>) -> Result<Option<Self>, String> {
        if ssl.trusts_browsers_roots() {
            let anchors = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
            return Ok(Some(Self { anchors, certificates: Vec::new() }));
        }
        if let Some(named) = &ssl.root_cert {
            return Self::read(named).map(Some);
        }
        match (ssl.mode, in_home(home, "root.crt")) {
            (SslMode::Disable | SslMode::Allow | SslMode::Prefer, _) | (SslMode::Require, None) => Ok(None),
            (SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull, Some(found)) => Self::read(&found).map(Some),
            (mode @ (SslMode::VerifyCa | SslMode::VerifyFull), None) => Err(format!(
                "sslmode={} needs the certificate of who signed the server's: name it with sslrootcert=FILE, put it at \
                 ~/.postgresql/root.crt, or trust whom browsers trust with sslrootcert=system",
                mode.name()
            )),
        }
    }

    fn read(file: &Path) -> Result<Self, String> {
        let certificates = certificates(file)?;
        let mut anchors = RootCertStore::empty();
        for certificate in &certificates {
            anchors
                .add(certificate.clone())
                .map_err(|error| format!("{} holds a certificate that cannot be used: {error}", file.display()))?;
        }
        Ok(Self { anchors, certificates })
    }
}

/// Our own certificate, for servers that ask for one.
struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    fn find(ssl: &SslOptions, home: Option<&Path>) -> Result<Option<Self>, String> {
        let Some(file) = ssl.cert.clone().or_else(|| in_home(home, "postgresql.crt")) else { return Ok(None) };
        let key = ssl.key.clone().or_else(|| in_home(home, "postgresql.key"));
        let key =
            key.ok_or_else(|| format!("{} is our own certificate, and its key is missing: name it with sslkey=FILE", file.display()))?;
        let chain = certificates(&file)?;
        // What the parser says could quote a line of the key.
        let key = PrivateKeyDer::from_pem_file(&key)
            .map_err(|_| format!("{} holds no private key that can be read (PEM, without a passphrase)", key.display()))?;
        Ok(Some(Self { chain, key }))
    }
}

/// The certificates of a PEM file, one or more.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let failed = |error| format!("cannot read the certificate {}: {error}", file.display());
    let found = CertificateDer::pem_file_iter(file).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    if found.is_empty() { Err(format!("{} holds no certificate (PEM)", file.display())) } else { Ok(found) }
}

/// A file that libpq looks for when none is named.
fn in_home(home: Option<&Path>, name: &str) -> Option<PathBuf> {
    home.map(|home| home.join(".postgresql").join(name)).filter(|file| file.exists())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;

    /// Signs `db.desk`; until 2126, as the others.
    const AUTHORITY: &str = "-----BEGIN CERTIFICATE-----
MIIBiTCCAS+gAwIBAgIUSmddquF80JRoN5t6sG+g9/+5CC0wCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOZGVzayBhdXRob3JpdHkwIBcNMjYxMTIxMDYzMzUxWhgPMjEy
NjEwMjgwNjMzNTFaMBkxFzAVBgNVBAMMDmRlc2sgYXV0aG9yaXR5MFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAEEmmGjQEDKJLGfj9JNxPBFu+DsV1In9eV/CkY3tQy
z5JdA6ga+CZtjiywJ6KmNt4U2SS3/YCZWgw49cs5rnLxHKNTMFEwHQYDVR0OBBYE
FAzpruabP2DMzmeONXr8bCoZfYsVMB8GA1UdIwQYMBaAFAzpruabP2DMzmeONXr8
bCoZfYsVMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIhANhs1OKn
jOJRn+zRYIa54uTLiTdd8kZdsrye+kH1fvwQAiAskV6KxTv++PmyygsczkFVxOL3
H08BQaXwwmQaq8t+bA==
-----END CERTIFICATE-----
";
    const SIGNED: &str = "-----BEGIN CERTIFICATE-----
MIIBjzCCATagAwIBAgIUMn2CPSLQR+8Gqcxlp8YpnKqdAlUwCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOZGVzayBhdXRob3JpdHkwIBcNMjYxMTIxMDYzMzUxWhgPMjEy
NjEwMjgwNjMzNTFaMBIxEDAOBgNVBAMMB2RiLmRlc2swWTATBgcqhkjOPQIBBggq
hkjOPQMBBwNCAAQGG3yhq+SHFsfqw/IiUN4aWmzwQZFBcRp8tt4KNc9ZP8IJlkpF
sXWIPw5k7ggTTLqG/rt8Y/DbsK8SjUDpLo3Go2EwXzASBgNVHREECzAJggdkYi5k
ZXNrMAkGA1UdEwQCMAAwHQYDVR0OBBYEFGFcegZauykCa2L6fFABoZYSTShQMB8G
A1UdIwQYMBaAFAzpruabP2DMzmeONXr8bCoZfYsVMAoGCCqGSM49BAMCA0cAMEQC
IBzxyM0mtSxv+sLcJPtEELp2MRV09pOT0QXSUi71Zj8SAiBmM1g10HNRzYXsWhsa
PrYSwocXW72T5SolsFynczNEtg==
-----END CERTIFICATE-----
";
    /// `alone.desk`, as `openssl req -x509` makes it: it signs itself, and says that it may sign others.
    const ALONE: &str = "-----BEGIN CERTIFICATE-----
MIIBmTCCAT6gAwIBAgIUaTJuALhFABac8tIG77fXGCHW5MwwCgYIKoZIzj0EAwIw
FTETMBEGA1UEAwwKYWxvbmUuZGVzazAgFw0yNjExMjEwNjMzNTFaGA8yMTI2MTAy
ODA2MzM1MVowFTETMBEGA1UEAwwKYWxvbmUuZGVzazBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABEyJUGfO6H5zHdYWNuLN5vYFQ1T31khcKqQf016OEL7sr9TTkfCw
M2H4tJn1U426cH/u/VZTZCX6SvSaBP3Cn4ijajBoMB0GA1UdDgQWBBR3mtgp2/qx
/kUp53iPxSOVOy4zgjAfBgNVHSMEGDAWgBR3mtgp2/qx/kUp53iPxSOVOy4zgjAP
BgNVHRMBAf8EBTADAQH/MBUGA1UdEQQOMAyCCmFsb25lLmRlc2swCgYIKoZIzj0E
AwIDSQAwRgIhANjrMcvSGxeP5pM0HVK1qeLDrDyM6/yVP2rV7B31bepYAiEAxZEk
lgpBoF0Q4nbmwipWeQ4e47slDcHpvUNTpFoNsMQ=
-----END CERTIFICATE-----
";
    /// In 2033, and long after the certificates ended.
    const IN_TIME: u64 = 2_000_000_000;
    const TOO_LATE: u64 = 9_000_000_000;

    fn judge(ssl: &SslOptions, home: Option<&Path>, certificate: &str, name: &'static str, at: u64) -> Result<(), String> {
        let verifier = Verifier::new(ssl, home, ring::default_provider().signature_verification_algorithms)?;
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
        let (name, now) = (ServerName::try_from(name).unwrap(), UnixTime::since_unix_epoch(Duration::from_secs(at)));
        verifier.verify_server_cert(&certificate, &[], &name, &[], now).map(|_| ()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_certificate_is_looked_at_as_closely_as_the_mode_asks() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("root.crt");
        fs::write(&file, [AUTHORITY, ALONE].concat()).unwrap();
        let stranger = folder.path().join("stranger.crt");
        fs::write(&stranger, ALONE).unwrap();
        // Mode, root file, certificate, name, time, and whether it passes.
        let table = [
            (SslMode::Require, None, SIGNED, "other.desk", TOO_LATE, true),
            (SslMode::Prefer, None, ALONE, "other.desk", TOO_LATE, true),
            (SslMode::Require, Some(&file), SIGNED, "other.desk", IN_TIME, true),
            (SslMode::Require, Some(&stranger), SIGNED, "db.desk", IN_TIME, false),
            (SslMode::Prefer, Some(&stranger), SIGNED, "db.desk", IN_TIME, false),
            (SslMode::VerifyCa, Some(&file), SIGNED, "other.desk", IN_TIME, true),
            (SslMode::VerifyCa, Some(&file), SIGNED, "db.desk", TOO_LATE, false),
            (SslMode::VerifyCa, Some(&stranger), SIGNED, "db.desk", IN_TIME, false),
            (SslMode::VerifyFull, Some(&file), SIGNED, "db.desk", IN_TIME, true),
            (SslMode::VerifyFull, Some(&file), SIGNED, "other.desk", IN_TIME, false),
            (SslMode::VerifyFull, Some(&file), ALONE, "alone.desk", IN_TIME, true),
            (SslMode::VerifyFull, Some(&file), ALONE, "other.desk", IN_TIME, false),
            (SslMode::VerifyFull, Some(&file), ALONE, "alone.desk", TOO_LATE, false),
        ];
        for (at, (mode, root, certificate, name, time, passes)) in table.into_iter().enumerate() {
            let ssl = SslOptions { mode, root_cert: root.cloned(), ..SslOptions::default() };
            let judged = judge(&ssl, None, certificate, name, time);
            assert_eq!(judged.is_ok(), passes, "row {at}: {judged:?}");
        }
        let browsers = SslOptions { mode: SslMode::VerifyFull, root_cert: Some("system".into()), ..SslOptions::default() };
        assert!(judge(&browsers, None, SIGNED, "db.desk", IN_TIME).is_err(), "no browser trusts a desk");
    }

    #[test]
    fn the_home_folder_holds_what_is_not_named() {
        let home = tempfile::tempdir().unwrap();
        let ssl = |mode| SslOptions { mode, ..SslOptions::default() };
        assert_eq!(judge(&ssl(SslMode::Require), Some(home.path()), SIGNED, "db.desk", IN_TIME), Ok(()));
        let error = judge(&ssl(SslMode::VerifyFull), Some(home.path()), SIGNED, "db.desk", IN_TIME).unwrap_err();
        assert!(error.starts_with("sslmode=verify-full needs") && error.contains("sslrootcert="), "{error}");
        fs::create_dir(home.path().join(".postgresql")).unwrap();
        fs::write(home.path().join(".postgresql/root.crt"), ALONE).unwrap();
        assert!(judge(&ssl(SslMode::Require), Some(home.path()), SIGNED, "db.desk", IN_TIME).is_err(), "a root file is honoured");
        assert_eq!(judge(&ssl(SslMode::Prefer), Some(home.path()), SIGNED, "db.desk", IN_TIME), Ok(()));
    }

    #[test]
    fn files_that_cannot_be_used_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let [empty, certificate] = ["empty.pem", "own.crt"].map(|name| folder.path().join(name));
        fs::write(&empty, "nothing\n").unwrap();
        fs::write(&certificate, ALONE).unwrap();
        let ssl = |root: Option<&Path>, cert: Option<&Path>, key: Option<&Path>| SslOptions {
            mode: SslMode::Require,
            root_cert: root.map(Path::to_owned),
            cert: cert.map(Path::to_owned),
            key: key.map(Path::to_owned),
        };
        let table = [
            (ssl(Some(Path::new("/no/such.crt")), None, None), "/no/such.crt"),
            (ssl(Some(&empty), None, None), "holds no certificate"),
            (ssl(None, Some(&certificate), None), "sslkey=FILE"),
            (ssl(None, Some(&certificate), Some(&empty)), "empty.pem holds no private key"),
        ];
        for (ssl, part) in table {
            let error = connector(&ssl, None).err().unwrap_or_default();
            assert!(error.contains(part), "{part}: {error}");
        }
        assert!(connector(&ssl(None, None, None), None).is_ok_and(|made| made.is_some()));
        let none = SslOptions { mode: SslMode::Disable, root_cert: Some("/no/such.crt".into()), ..SslOptions::default() };
        assert!(connector(&none, None).is_ok_and(|made| made.is_none()), "without TLS its files are not looked at");
    }
}
