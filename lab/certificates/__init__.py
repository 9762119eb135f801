"""The SEV certificate chain that `sevctl export` writes: read, and verified link by link.

Formats: AMD's Secure Encrypted Virtualization API (document 55766), appendix C; the order in the file:
virtee/sev v0.3.0, src/certs/chain.rs (PDH, PEK, OCA, CEK, and with `--full` ASK and ARK).
"""

from lab.certificates.chain import ChainReport, pdh_of, verify_chain
from lab.certificates.formats import CertificateError
from lab.certificates.roots import Roots
from lab.certificates.software import SoftwarePlatform

__all__ = ["CertificateError", "ChainReport", "Roots", "SoftwarePlatform", "pdh_of", "verify_chain"]
