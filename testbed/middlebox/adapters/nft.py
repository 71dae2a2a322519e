"""nft's rules, loaded by its own library: the program would read the same text, and takes longer to start than a box.

The library belongs to the program's package (libnftables, nftables 0.9 and later). Its context belongs to the network
namespace in which it is made, so each call makes one.
"""

from __future__ import annotations

import ctypes
from functools import cache

from testbed.errors import CertificateError

__all__ = ["load_library", "load_rules"]

_LIBRARY = "libnftables.so.1"


@cache
def load_library() -> ctypes.CDLL:
    """Load the library; before a fork, so that it is there for all children.

    Raises:
        CertificateError: It is not installed.
    """
    try:
        library = ctypes.CDLL(_LIBRARY)
    except OSError as error:
        raise CertificateError(f"nft's library cannot be loaded ({error}); install nftables") from error
    library.nft_ctx_new.restype = ctypes.c_void_p
    library.nft_ctx_get_error_buffer.restype = ctypes.c_char_p
    return library


def load_rules(text: str) -> None:
    """Load rules into the kernel, all of them or none.

    Raises:
        CertificateError: They were refused; in nft's words.
    """
    library = load_library()
    context = ctypes.c_void_p(library.nft_ctx_new(0))
    try:
        library.nft_ctx_buffer_error(context)
        if library.nft_run_cmd_from_buffer(context, text.encode()):
            why = library.nft_ctx_get_error_buffer(context).decode(errors="replace").strip()
            raise CertificateError(f"nft refused the box's rules: {why}")
    finally:
        library.nft_ctx_free(context)
