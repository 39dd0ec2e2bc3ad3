"""What a fault means and what to do about it: by status code (PS3.4 B.2.3, PS3.7 Annex C), by code, by ground. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from audit.judgements import Ground
from audit.observations import EvidenceKind

_BY_CODE: Mapping[str, str] = {
    "0x0105": "The archive does not know an attribute. Its log says which; the instance may need to be repaired.",
    "0x0106": "The archive found a value that it does not accept. Its log says which.",
    "0x0110": "The archive failed while it processed the instance. Look at its log, then resend.",
    "0x0111": "The archive has an instance with this UID already and did not say which content it keeps.",
    "0x0117": "The archive does not accept the SOP Instance UID. The instance needs another one.",
    "0x0118": "The archive does not know this SOP class. Enable it there, then resend; or use STOW-RS.",
    "0x0122": "The archive does not take this SOP class. Enable it on the node, then resend; or use STOW-RS.",
    "0x0124": "The archive does not authorise us. Allow our AE title to store there, then resend.",
    "0x0210": "The archive took two messages for one. Resend; if it comes again, use one association.",
    "0x0211": "The archive did not recognise the operation. Check that the port is a DICOM storage SCP.",
    "0x0212": "The archive found an argument of the wrong type in the message. Its log says more.",
    "0x0213": "The archive has a limit on its resources. Resend later, or with fewer associations.",
    "conflict": "Decide which of the files is right, and send that one alone.",
    "held_back": "See to the instances that could not be sent, or go on without them (send what can be sent).",
    "cancelled": "Resend them if they should be there after all.",
    "stopped": "Resume the transfer.",
    "process_ended": "The process was ended while it sent. Verify again, or resend.",
    "transfer_error": "Look at the timeline and at the log of that time, then resend.",
    # Associations.
    "association_error": "Look at the log of the archive of that time, then try again.",
    "connection_failed": "Check the host, the port and the firewall, and that the archive is running; then try again.",
    "address_unknown": "Check the spelling of the host in the destination's settings, and the name server.",
    "tls_failed": "Check the CA, the client certificate with its key, and the minimum version on both sides.",
    "association_rejected": "Check the AE titles on both sides: the archive has to know ours.",
    "association_rejected_for_now": "The archive is busy. Try again later, or with fewer associations.",
    "association_aborted": "The log of the archive says why it aborted. Mend that, then try again.",
    "association_released": "The archive hung up before it had answered. Its log may say why; then try again.",
    "association_lost": "Check the network and that the archive still runs. Verify again, or resend.",
    "association_interrupted": "It was stopped on this side. Resume the transfer, or verify again.",
    "association_timed_out": "The archive may be busy, or serve one association at a time: use fewer, or try later.",
    "answer_timed_out": "If the archive is only slow, raise the DIMSE time-out of the destination; then try again.",
    "network_timed_out": "Check the network, or raise the network time-out of the destination; then try again.",
    "malformed_pdu": "Check that the port is a DICOM port, and that TLS is set the same on both sides.",
    "unexpected_answer": "The archive breaks the protocol. Its log may say more; its maker should know.",
    "no_presentation_context": "Enable the SOP class or transfer syntax at the archive, or send what it can take.",
    # The input.
    "source_error": "Check that the files are still there and may be read, then resend.",
    "source_file_changed": "Submit the files again once nothing writes to them any more.",
    "source_file_unreadable": "Check that the files are still there and may be read, then resend.",
    # Lists, and what is read back.
    "listing_failed": "The archive's list broke off. Look at its log, then verify again.",
    "listing_refused": "Allow our AE title to query there, then verify again.",
    "listing_endless": "The archive lists without end. Its log may say why; its maker should know.",
    "retrieval_failed": "The archive did not hand it over. Look at its log, then verify again.",
    "retrieval_failed_for_now": "The archive could not hand it over for now. Verify again later; its log may say why.",
    "retrieval_refused": "Allow our AE title to retrieve there, then verify again.",
    "retrieval_endless": "The archive sends more than was asked for. Its log may say why; its maker should know.",
    "not_found": "The archive hands over no such instance. Where it lists it all the same, its index and its files "
    "disagree: look there. Else resend.",
    "instance_too_large": "The archive sends more than any encoding of it takes. Look at what it holds under this UID.",
    "no_data_set": "The archive hands over something that is no DICOM instance. Look at what it holds under this UID.",
    "body_too_large": "Send it in chunks (body=chunked), or limit the megabytes a request.",
    "source_instance_changed": "Send the study anew, as the source holds it now.",
    "source_instance_gone": "Send the study anew, as the source holds it now.",
    "source_unavailable": "Check that the source runs and can be reached, then resend what is missing.",
    "study_not_at_source": "Check the Study Instance UID, and that it is the right source.",
    "study_ambiguous": "Name the study by its Orthanc ID.",
    "study_not_stable": "Try again once nothing arrives there any more, or send the study as it is now.",
    "spool_failed": "Make room in the folder of temporary files on this machine, then verify again.",
    "file_corrupt": "The archive's file is damaged: restore it there from a backup, or remove it there and resend.",
    "not_comparable": "What is there cannot be compared with what was sent. Look at it with a viewer.",
    "data_set_unreadable": "One of the two cannot be read as a data set. Look at both with a viewer or dcmdump.",
    "pixels_encoded_otherwise": "The archive keeps the pixels in another encoding (transcoded): let it keep or hand "
    "over what was sent, or look at both with a viewer.",
    "frames_unclear": "Which part of the pixel data is which frame is not clear. Look at both with a viewer.",
    "comparison_failed": "An error of ours: the log says more. Whether the content is the same is not known.",
    "unsafe_uid": "Its UID has characters that no query may have. The instance needs a proper UID.",
    "copies_ambiguous": "The archive holds it under several patients. Remove there what is wrong, then verify again.",
    # Requests over HTTP.
    "request_error": "Look at the log of the service of that time, then try again.",
    "service_unreachable": "Check the URL, the port and the firewall, and that the service is running; then try again.",
    "service_address_unknown": "Check the spelling of the host in the URL, and the name server.",
    "request_tls_failed": "Check that the port speaks TLS, the CA, the host name, and the client certificate.",
    "request_timed_out": "If the service is only slow, raise the time-outs of the destination; then try again.",
    "answer_cut": "The connection broke. Check the network and that the service still runs; then try again.",
    "request_interrupted": "It was stopped on this side. Resume the transfer, or verify again.",
    "credentials_refused": "Check the destination's user name and password, or token, and what they allow there.",
    "access_token_refused": "Another token was fetched. If that is refused too, check the client's scope.",
    "resource_not_found": "Check the path in the URL, and that this service (a plug-in, perhaps) is enabled there.",
    "request_refused": "The service refuses the request. Its log may say why.",
    "redirect_refused": "Set the URL of the destination to where the service really is.",
    "service_failed": "The service failed. Its log says why; then try again.",
    "service_busy": "The service is too busy. Try again later, or with fewer requests side by side.",
    "not_the_service": "Something else answers, such as a login page. Check the path in the URL.",
    "malformed_answer": "The service's answer cannot be read. Its log may say more; its maker should know.",
    "answer_too_large": "The service answers more than was asked for. Check the URL; its maker should know.",
    # Jobs of a source.
    "alias_unknown": "Add the destination at the source, under its own address; or send by another method.",
    "alias_ambiguous": "Choose one of the aliases that the source has for the destination.",
    "alias_leads_elsewhere": "Choose an alias that leads to this destination, or correct the address at the source.",
    "accelerator_missing": "Enable the accelerator plug-in on both Orthancs, or send by another method.",
    "job_failed": "The logs of the source and of the destination say why the job failed. Mend that, then resend.",
    "job_cancelled": "Somebody cancelled the job at the source. Resend what should be there after all.",
    "job_incomplete": "The log of the source may say why its job left some out. Resend what is missing.",
    "job_forgotten": "Let the source keep more jobs (JobsHistorySize), and resend what is missing.",
    # Storage commitment.
    "commitment_request_refused": "Enable Storage Commitment for our AE title there, then ask again.",
    "commitment_request_refused_for_now": "The archive could not take the request for now. Ask again later.",
    "report_not_understood": "The archive's report breaks the protocol. Look at its log; its maker should know.",
    "listener_not_started": "Free the port of our DICOM listener, or set another one; then ask again.",
    "other_sop_class": "The archive holds another SOP class under this UID. Decide there which of the two is right.",
}
_BY_RANGE: tuple[tuple[int, int, str], ...] = (
    (0xA700, 0xA7FF, "The archive is out of resources, mostly of disk. Make room there, then resend."),
    (0xA900, 0xA9FF, "The data set does not fit its SOP class, says the archive. Its log says where."),
    (0xC000, 0xCFFF, "The archive cannot understand the data set, it says. Its log says why."),
)
_OF_COMMITMENT: Mapping[str, str] = {
    "0x0110": "Look at the log of the archive, then ask again. Presence or content can prove it meanwhile.",
    "0x0112": "The archive looked for it and did not have it, or could not read its file. Look at its log and its "
    "disk, then resend.",
    "0x0119": "Decide there which of the two is right.",
    "0x0122": "Enable storage commitment for this SOP class on the node. Presence or content can prove it meanwhile.",
    "0x0131": "Ask again: each request has a Transaction UID of its own.",
    "0x0213": "Ask again later, or about fewer instances in one request.",
    "no_presentation_context": "The archive does not offer Storage Commitment to us. Enable it there for our AE title, "
    "or take it out of the destination's settings.",
}
"""Of a report, or of a request that was not taken: the same numbers mean something else there."""
ABOUT_THE_SOP_CLASS = frozenset({"0x0118", "0x0119", "0x0122", "no_presentation_context", "other_sop_class"})
"""Codes of which one wants to know which SOP classes they are about."""

_TITLES: Mapping[Ground, str] = {
    Ground.DIFFERENT: "Other content at the destination",
    Ground.CONFLICT: "Other content was there before",
    Ground.ABSENT: "Not found at the destination",
    Ground.COMMITMENT_REFUSED: "Denied by storage commitment",
    Ground.REFUSED: "Refused",
    Ground.NOT_SENT: "Not sent",
    Ground.CONTRADICTION: "Proofs contradict each other",
    Ground.UNREADABLE: "Said to be there, and not handed over when it was read back",
    Ground.REMOVED: "To be removed again, and not known to be gone",
    Ground.WAS_THERE_BEFORE: "There before under the same UID",
    Ground.OTHER_CONTENT_SENT: "Sent there with other content too",
    Ground.LISTED_THOUGH_NOT_OURS: "Listed, though nothing shows that we brought it",
    Ground.ACKNOWLEDGED_ONLY: "Acknowledged, which alone proves nothing",
    Ground.ANSWER_UNCLEAR: "Answered unclearly",
    Ground.NO_ANSWER: "Sent without an answer",
    Ground.NOT_ASKED: "Nothing is known of it",
}

_BY_GROUND: Mapping[Ground, str] = {
    Ground.DIFFERENT: "The destination holds something else under this UID. Decide there which of the two is right.",
    Ground.CONFLICT: "The destination held something else under this UID before. Decide there which one is right.",
    Ground.ABSENT: "The destination does not list it, asked twice and by name. Look for a filter there (in an Orthanc, "
    "a ReceivedInstanceFilter) and at its log of that time; then resend.",
    Ground.COMMITMENT_REFUSED: "The destination says that it does not hold it. Look at its log, then resend.",
    Ground.REFUSED: "The destination's log says why. Resend once that is mended.",
    Ground.NOT_SENT: "Resend once the reason is mended.",
    Ground.CONTRADICTION: "One kind of proof affirms it and another denies it. Look at the destination itself, or let "
    "the content be compared.",
    Ground.UNREADABLE: "Its index and its files may disagree. Look at the archive's disk and log, then verify again "
    "with content, or resend.",
    Ground.REMOVED: "It was asked to remove what this transfer had brought, and could not be asked what came of that. "
    "Verify again.",
    Ground.WAS_THERE_BEFORE: "An archive answers success for a UID that it has, and keeps the old content. Only a "
    "comparison of the content can settle it.",
    Ground.OTHER_CONTENT_SENT: "Which of the two the destination keeps is not known. Only a comparison can settle it.",
    Ground.LISTED_THOUGH_NOT_OURS: "It may be from elsewhere, with other content. Resend, so that it is answered.",
    Ground.ACKNOWLEDGED_ONLY: "The destination could not be asked, or was not. Verify again.",
    Ground.ANSWER_UNCLEAR: "The answer says neither yes nor no. Verify again.",
    Ground.NO_ANSWER: "The connection was lost before the answer. Verify again, or resend.",
    Ground.NOT_ASKED: "Verify again.",
}

_OVERDUE = (
    "Check that the archive knows our AE title, host and listener port, and that its queue moves; then ask again. "
    "A report that comes late still counts."
)
_FOUND: Mapping[EvidenceKind, tuple[str, str]] = {
    EvidenceKind.COMMITMENT_REFUSED: (_TITLES[Ground.COMMITMENT_REFUSED], _BY_GROUND[Ground.COMMITMENT_REFUSED]),
    EvidenceKind.COMMITMENT_FAILED: (
        "Not committed",
        "The log of the archive may say why. Ask again; presence or content can prove it meanwhile.",
    ),
    EvidenceKind.NOT_MENTIONED: (
        "Asked about, and not mentioned in the report on storage commitment",
        "The archive's report is not complete. Look at its log, then ask again.",
    ),
    EvidenceKind.COMMITMENT_OVERDUE: (
        "No report on storage commitment came in time",
        _OVERDUE,
    ),
    EvidenceKind.DIFFERENT: (_TITLES[Ground.DIFFERENT], _BY_GROUND[Ground.DIFFERENT]),
    EvidenceKind.CONFLICT: (_TITLES[Ground.CONFLICT], _BY_GROUND[Ground.CONFLICT]),
    EvidenceKind.UNREADABLE: (_TITLES[Ground.UNREADABLE], _BY_GROUND[Ground.UNREADABLE]),
    EvidenceKind.PROBE_FAILED: ("The destination could not be asked", "Verify again once the reason is mended."),
}
"""What a finding is called, and what to do where its code says nothing in particular."""


def title_of_ground(ground: Ground) -> str:
    return _TITLES[ground]


def remedy_of_ground(ground: Ground) -> str:
    return _BY_GROUND[ground]


def title_of_finding(kind: EvidenceKind) -> str:
    """Of what asking the destination found, where that is not as it should be."""
    return _FOUND[kind][0]


def remedy_of_finding(kind: EvidenceKind) -> str:
    return _FOUND[kind][1]


def remedy_of_code(code: str, *, is_of_commitment: bool = False) -> str:
    """Nothing for a code that nothing in particular can be said of."""
    if is_of_commitment and code in _OF_COMMITMENT:
        return _OF_COMMITMENT[code]
    if code in _BY_CODE:
        return "" if is_of_commitment and code.startswith("0x") else _BY_CODE[code]
    if not code.startswith("0x") or is_of_commitment:
        return ""
    number = int(code, 16)
    return next((text for first, last, text in _BY_RANGE if first <= number <= last), "")
