//! One TLS set-up, for HTTP and for sockets.

use std::sync::{Arc, OnceLock};

use rustls::{ClientConfig, RootCertStore};

/// Installs the crypto library of this process; the first line of `main` and of tests that reach out.
pub fn install_crypto() {
    // A second call finds it installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// The one client set-up, with the roots that browsers trust.
pub(crate) fn client_config() -> Arc<ClientConfig> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    let make = || {
        install_crypto();
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
    };
    Arc::clone(CONFIG.get_or_init(make))
}
