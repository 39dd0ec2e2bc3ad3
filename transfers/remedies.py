"""What a fault means and what to do about it, by status code (PS3.4 B.2.3, PS3.7 Annex C) or by ground. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from audit.judgements import Ground

_BY_CODE: Mapping[str, str] = {
    "0x0105": "The archive does not know an attribute. Its log says which; the instance may need to be repaired.",
    "0x0106": "The archive found a value that it does not accept. Its log says which.",
    "0x0110": "The archive failed while it processed the instance. Look at its log, then resend.",
    "0x0111": "The archive has an instance with this UID already and did not say which content it keeps.",
    "0x0117": "The archive does not accept the SOP Instance UID. The instance needs another one.",
    "0x0118": "The archive does not know this SOP class. Enable it there, then resend.",
    "0x0122": "The archive does not take this SOP class. Enable it there, then resend.",
    "0x0124": "The archive does not authorise us. Allow our AE title to store there, then resend.",
    "0x0210": "The archive took two messages for one. Resend; if it comes again, use one association.",
    "0x0211": "The archive did not recognise the operation. Check that the port is a DICOM storage SCP.",
    "0x0212": "The archive found an argument of the wrong type in the message. Its log says more.",
    "0x0213": "The archive has a limit on its resources. Resend later, or with fewer associations.",
    "conflict": "Decide which of the files is right, and send that one alone.",
    "no_presentation_context": "Enable the SOP class or transfer syntax at the archive, or send what it can take.",
    "source_file_changed": "Submit the files again once nothing writes to them any more.",
    "source_file_unreadable": "Check that the files are still there and may be read, then resend.",
    "held_back": "See to the instances that could not be sent, or go on without them (send what can be sent).",
    "cancelled": "Resend them if they should be there after all.",
    "stopped": "Resume the transfer.",
    "process_ended": "The process was ended while it sent. Verify again, or resend.",
}
_BY_RANGE: tuple[tuple[int, int, str], ...] = (
    (0xA700, 0xA7FF, "The archive is out of resources, mostly of disk. Make room there, then resend."),
    (0xA900, 0xA9FF, "The data set does not fit its SOP class, says the archive. Its log says where."),
    (0xC000, 0xCFFF, "The archive cannot understand the data set, it says. Its log says why."),
)

_TITLES: Mapping[Ground, str] = {
    Ground.DIFFERENT: "Other content at the destination",
    Ground.CONFLICT: "Other content was there before",
    Ground.ABSENT: "Not found at the destination",
    Ground.COMMITMENT_REFUSED: "Denied by storage commitment",
    Ground.REFUSED: "Refused",
    Ground.NOT_SENT: "Not sent",
    Ground.CONTRADICTION: "Proofs contradict each other",
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
    Ground.CONTRADICTION: "One kind of proof affirms it and another denies it. Look at the destination itself.",
    Ground.WAS_THERE_BEFORE: "An archive answers success for a UID that it has, and keeps the old content. Only a "
    "comparison of the content can settle it.",
    Ground.OTHER_CONTENT_SENT: "Which of the two the destination keeps is not known. Only a comparison can settle it.",
    Ground.LISTED_THOUGH_NOT_OURS: "It may be from elsewhere, with other content. Resend, so that it is answered.",
    Ground.ACKNOWLEDGED_ONLY: "The destination could not be asked, or was not. Verify again.",
    Ground.ANSWER_UNCLEAR: "The answer says neither yes nor no. Verify again.",
    Ground.NO_ANSWER: "The connection was lost before the answer. Verify again, or resend.",
    Ground.NOT_ASKED: "Verify again.",
}


def title_of_ground(ground: Ground) -> str:
    return _TITLES[ground]


def remedy_of_ground(ground: Ground) -> str:
    return _BY_GROUND[ground]


def remedy_of_code(code: str) -> str:
    """Nothing for a code that nothing in particular can be said of."""
    if code in _BY_CODE:
        return _BY_CODE[code]
    if not code.startswith("0x"):
        return ""
    number = int(code, 16)
    return next((text for first, last, text in _BY_RANGE if first <= number <= last), "")
