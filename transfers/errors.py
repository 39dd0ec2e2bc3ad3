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
│   ├── SourceFileChanged       SourceFileUnreadable
│   └── SourceInstanceChanged   SourceInstanceGone      SourceUnavailable       SourceStopped
├── StudyNotAtSource            StudyAmbiguous          StudyNotStable
├── ListingFailed
│   └── ListingRefused          ListingEndless
├── RequestError
│   ├── ServiceUnreachable      ServiceAddressUnknown   RequestTlsFailed
│   ├── RequestTimedOut         AnswerCut               RequestInterrupted
│   ├── CredentialsRefused      AccessTokenRefused
│   ├── ResourceNotFound        RequestRefused          RedirectRefused
│   ├── ServiceFailed           ServiceBusy
│   └── NotTheService           MalformedAnswer         AnswerTooLarge
├── CommitmentRefused           CommitmentRefusedForNow
├── CopiesAmbiguous
├── ReportNotUnderstood
├── ListenerNotStarted
├── RetrievalFailed
│   ├── RetrievalFailedForNow
│   └── RetrievalRefused        RetrievalEndless     InstanceNotFound     InstanceTooLarge     NoDataSet
├── SpoolFailed
├── BodyTooLarge
├── AliasUnknown                AliasAmbiguous       AliasLeadsElsewhere  AcceleratorMissing
├── JobFailed                   JobCancelled         JobIncomplete        JobForgotten
└── TransferStopped
"""

from __future__ import annotations


class TransferError(Exception):
    """The transfer failed."""

    code = "transfer_error"
    """Stable, snake_case; the same in the API, the log and the report."""
    retriable = False
    """Whether the same thing, done again later, can succeed without anybody changing anything."""

    retry_after_seconds: float | None = None
    """How long the peer asks us to wait before the same thing is done again, where it says so."""

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


class SourceInstanceGone(SourceError):
    """The source does not hold the instance any more. Take a new manifest of the study: send it again."""

    code = "source_instance_gone"


class SourceInstanceChanged(SourceFileChanged):
    """The source holds another file under this instance now. Send the study anew."""

    code = "source_instance_changed"


class SourceUnavailable(SourceError):
    """The source did not hand over the instance. Check that it runs, and send again what is missing."""

    code = "source_unavailable"
    retriable = True


class SourceStopped(SourceError):
    """The transfer was stopped while the instance was read from its source. The same send continues it."""

    code = "stopped"
    retriable = True


class StudyNotAtSource(TransferError):
    """The source holds no such study. Check the Study Instance UID, and that it is the right source."""

    code = "study_not_at_source"


class StudyAmbiguous(TransferError):
    """The source holds this study under several patients. Name it by its Orthanc ID."""

    code = "study_ambiguous"


class StudyNotStable(TransferError):
    """The source still receives instances of the study. Try again later, or send it as it is now."""

    code = "study_not_stable"
    retriable = True


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


class RetrievalFailed(TransferError):
    """The destination did not hand over the instance. Its log may say why."""

    code = "retrieval_failed"
    retriable = True


class RetrievalFailedForNow(RetrievalFailed):
    """The destination lacks the resources to hand over the instance now (PS3.4 C.4.3.1.4). Ask again later."""

    code = "retrieval_failed_for_now"


class RetrievalRefused(RetrievalFailed):
    """The destination refuses to hand over the instance (PS3.4 C.4.3.1.4). Check what our AE title may read there."""

    code = "retrieval_refused"
    retriable = False


class RetrievalEndless(RetrievalFailed):
    """The destination sends more than it was asked for, and did not end. Its log may say why."""

    code = "retrieval_endless"
    retriable = False


class InstanceNotFound(RetrievalFailed):
    """The destination found no such instance to hand over. Whether it lists one is another question."""

    code = "not_found"
    retriable = False


class InstanceTooLarge(RetrievalFailed):
    """The destination sent more for one instance than any encoding of what was sent takes."""

    code = "instance_too_large"
    retriable = False


class NoDataSet(RetrievalFailed):
    """What the destination handed over is no DICOM instance. Its log may say why."""

    code = "no_data_set"
    retriable = False


class SpoolFailed(TransferError):
    """What was read back could not be kept on this side to be compared. Make room in the folder of temporary files."""

    code = "spool_failed"
    retriable = True


class CommitmentRefused(TransferError):
    """The destination does not take the request to commit (PS3.4 J.3.2). Enable Storage Commitment for us there."""

    code = "commitment_request_refused"

    def __init__(self, message: str = "", status_code: int | None = None, error_comment: str = "") -> None:
        super().__init__(message)
        self.status_code = status_code
        """Of the N-ACTION-RSP (PS3.7 C)."""
        self.error_comment = error_comment


class CommitmentRefusedForNow(CommitmentRefused):
    """The destination could not take the request to commit (PS3.4 J.3.2). Ask again later; its log may say why."""

    code = "commitment_request_refused_for_now"
    retriable = True


class CopiesAmbiguous(TransferError):
    """The archive holds it more than once, under several patients, and which is ours is not known: remove it there."""

    code = "copies_ambiguous"


class ReportNotUnderstood(TransferError):
    """The destination's report on what it commits to was not understood (PS3.4 J.3.3), and not used. See its log."""

    code = "report_not_understood"


class ListenerNotStarted(TransferError):
    """The DICOM listener could not be started. Check its port, its address, and its certificate."""

    code = "listener_not_started"


class RequestError(TransferError):
    """The HTTP request to the destination failed."""

    code = "request_error"
    retriable = True
    status_code: int | None = None
    """Of the answer, where there was one with such a status."""


class ServiceUnreachable(RequestError):
    """No connection could be made. Check the URL, the port, the firewall, and that the service is running."""

    code = "service_unreachable"


class ServiceAddressUnknown(RequestError):
    """The URL leads to no known host. Check its spelling and the name server."""

    code = "service_address_unknown"
    retriable = False


class RequestTlsFailed(RequestError):
    """TLS failed. Check that the port speaks it, the CA, the host name, and the client certificate on both sides."""

    code = "request_tls_failed"
    retriable = False


class RequestTimedOut(RequestError):
    """The service did not answer in time. Raise the time-out if it is only slow."""

    code = "request_timed_out"


class AnswerCut(RequestError):
    """The connection broke before the answer was complete. Check the network and that the service still runs."""

    code = "answer_cut"


class RequestInterrupted(RequestError):
    """The request was ended on this side: the transfer was stopped."""

    code = "request_interrupted"


class CredentialsRefused(RequestError):
    """The service refuses our credentials. Check them, and what they allow there."""

    code = "credentials_refused"
    retriable = False


class AccessTokenRefused(CredentialsRefused):
    """The service refuses our access token, and another one is fetched. If that is refused too, check its scope."""

    code = "access_token_refused"
    retriable = True


class ResourceNotFound(RequestError):
    """The service does not have what was asked for. Check the path in the URL, and that the service is enabled."""

    code = "resource_not_found"
    retriable = False


class RequestRefused(RequestError):
    """The service refuses the request. Its log may say why."""

    code = "request_refused"
    retriable = False


class RedirectRefused(RequestError):
    """The service sends us elsewhere, and we do not follow. Set the URL to where it really is."""

    code = "redirect_refused"
    retriable = False


class ServiceFailed(RequestError):
    """The service failed while it worked on the request. Its log says why."""

    code = "service_failed"


class ServiceBusy(RequestError):
    """The service is too busy for now. Try again later, or use fewer connections."""

    code = "service_busy"


class NotTheService(RequestError):
    """What answers is another service, or a page for people such as a login. Check the path in the URL."""

    code = "not_the_service"
    retriable = False


class MalformedAnswer(RequestError):
    """The service answered something that cannot be read. Its answer was not used; its log may say more."""

    code = "malformed_answer"


class AnswerTooLarge(RequestError):
    """The service's answer is larger than anything that was asked for. Its answer was not used."""

    code = "answer_too_large"
    retriable = False


class AliasUnknown(TransferError):
    """The source knows the destination under no such alias. Add it there, or choose one that leads to it."""

    code = "alias_unknown"


class AliasAmbiguous(TransferError):
    """The source knows the destination under several aliases. Choose one: --option alias=NAME."""

    code = "alias_ambiguous"


class AliasLeadsElsewhere(TransferError):
    """The alias of the source leads to another address than the destination's. Correct one of the two."""

    code = "alias_leads_elsewhere"


class AcceleratorMissing(TransferError):
    """The transfers accelerator is missing. Enable this plug-in on both Orthancs, or choose another method."""

    code = "accelerator_missing"


class JobFailed(TransferError):
    """The source's job failed; it has usually sent a part. Its log, and the destination's, say why."""

    code = "job_failed"
    retriable = True


class JobCancelled(JobFailed):
    """The source's job was cancelled there; it has usually sent a part. Send again what should be there after all."""

    code = "job_cancelled"
    retriable = False


class JobIncomplete(JobFailed):
    """The source's job ended in success, and does not say that it sent every instance. Its log may say why."""

    code = "job_incomplete"


class JobForgotten(TransferError):
    """The source does not know its job any more. It was restarted, or keeps too few of them (JobsHistorySize)."""

    code = "job_forgotten"
    retriable = True


class BodyTooLarge(TransferError):
    """The body of the request would be too large. Send it in chunks, or limit what goes into a request."""

    code = "body_too_large"


class TransferStopped(TransferError):
    """The transfer was stopped before this was done. The same send continues it."""

    code = "stopped"
    retriable = True


def _codes_below(*errors: type[TransferError]) -> frozenset[str]:
    return frozenset(code for error in errors for code in (error.code, *_codes_below(*error.__subclasses__())))


UNANSWERED = _codes_below(AssociationError, ListingFailed, RequestError, TransferStopped)
"""Codes of what keeps a destination from answering at all; anything else is an answer, however odd."""
