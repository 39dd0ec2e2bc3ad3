"""What can go wrong, one tree; the docstring is the message, and it says what to do.

TransferError
├── AssociationError
│   ├── ConnectionFailed        AddressUnknown   TlsFailed
│   ├── AssociationRejected     AssociationRejectedForNow
│   ├── AssociationAborted      AssociationReleased  AssociationLost   AssociationInterrupted
│   ├── AnswerTimedOut          NetworkTimedOut      AssociationTimedOut
│   ├── MalformedPDU            UnexpectedAnswer
│   └── NoPresentationContext
├── SourceError
│   └── SourceFileChanged       SourceFileUnreadable
├── ListingFailed
│   └── ListingRefused          ListingEndless
└── TransferStopped
"""

from __future__ import annotations


class TransferError(Exception):
    """The transfer failed."""

    code = "transfer_error"
    """Stable, snake_case; the same in the API, the log and the report."""
    retriable = False
    """Whether the same thing, done again later, can succeed without anybody changing anything."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or " ".join((self.__doc__ or "").split()))


class AssociationError(TransferError):
    """The association with the destination failed."""

    code = "association_error"
    retriable = True


class ConnectionFailed(AssociationError):
    """No connection could be made. Check the host, the port, the firewall, and that the archive is running."""

    code = "connection_failed"


class AddressUnknown(AssociationError):
    """The host name is not known. Check its spelling and the name server."""

    code = "address_unknown"
    retriable = False


class TlsFailed(AssociationError):
    """The TLS handshake failed. Check the CA, the client certificate, its key and the minimum version on both sides."""

    code = "tls_failed"
    retriable = False


class AssociationRejected(AssociationError):
    """The destination rejected the association (PS3.8 9.3.4). Check the AE titles on both sides."""

    code = "association_rejected"
    retriable = False


class AssociationRejectedForNow(AssociationRejected):
    """The destination is too busy for another association (PS3.8 9.3.4). Try again later, or use fewer associations."""

    code = "association_rejected_for_now"
    retriable = True


class AssociationAborted(AssociationError):
    """The destination aborted the association (PS3.8 9.3.8). Its log says why."""

    code = "association_aborted"


class AssociationReleased(AssociationError):
    """The destination released the association before it had answered. Its log may say why."""

    code = "association_released"


class AssociationLost(AssociationError):
    """The connection broke. Check the network and that the archive is still running."""

    code = "association_lost"


class AssociationInterrupted(AssociationError):
    """The association was ended on this side: the transfer was stopped, or there was nothing left to send."""

    code = "association_interrupted"


class AssociationTimedOut(AssociationError):
    """The association request was not answered in time. The archive may be busy or serve one association at a time."""

    code = "association_timed_out"


class AnswerTimedOut(AssociationError):
    """The destination did not answer the request in time. Raise the DIMSE time-out if the archive is only slow."""

    code = "answer_timed_out"


class NetworkTimedOut(AssociationError):
    """No byte moved for the length of the network time-out. Check the network, or raise the time-out."""

    code = "network_timed_out"


class MalformedPDU(AssociationError):
    """The destination sent bytes that are not DICOM (PS3.8 9.3). Check that the port is a DICOM port."""

    code = "malformed_pdu"


class UnexpectedAnswer(AssociationError):
    """The destination answered something else than what was asked (PS3.7 9.3). Its answer was not used."""

    code = "unexpected_answer"


class NoPresentationContext(AssociationError):
    """The destination accepts no presentation context needed. Enable the SOP class or transfer syntax there."""

    code = "no_presentation_context"
    retriable = False


class SourceError(TransferError):
    """A file of the input could not be sent."""

    code = "source_error"


class SourceFileChanged(SourceError):
    """The file changed after the manifest was taken. Send again once nothing writes to it any more."""

    code = "source_file_changed"


class SourceFileUnreadable(SourceError):
    """The file could not be read any more. Check that it is still there, and its permissions."""

    code = "source_file_unreadable"


class ListingFailed(TransferError):
    """The destination's list of instances ended before it was complete."""

    code = "listing_failed"
    retriable = True


class ListingRefused(ListingFailed):
    """The destination refuses the question (PS3.4 C.4.1.1.4). Check what our AE title may ask there."""

    code = "listing_refused"
    retriable = False


class ListingEndless(ListingFailed):
    """The destination's list did not end. Its log may say why."""

    code = "listing_endless"
    retriable = False


class TransferStopped(TransferError):
    """The transfer was stopped before this was done. The same send continues it."""

    code = "stopped"
    retriable = True
