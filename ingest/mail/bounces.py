"""What a mail is that no person wrote to us: delivery report, automatic answer, complaint, receipt, our own loop."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from contracts.inbound import Kind
from ingest.mail.forwarded import own_addresses
from ingest.mail.headers import Address, Headers
from ingest.mail.mime import Mail, Part, entity
from ingest.mail.threading import ids

LOOP_HEADER = "x-loop"
_SCAN = 64 * 1024

_DAEMON = re.compile(
    r"(?:^|[<\s\"])(?:mailer[-_ ]?daemon|post[-_]?master|mail delivery (?:sub)?system|mdaemon|mmsc ndr|microsoft ?exchange)",
    re.IGNORECASE,
)
_BOUNCE_SUBJECT = re.compile(
    r"^\W*(?:(?:fwd?|tr|wg)\W+)?(?:undeliver(?:able|ed)|delivery (?:status notification|failure|has failed|report|error|problem)|"
    r"(?:mail|message|e-?mail) (?:delivery|system) (?:failed|failure|error|status|problem)|(?:message|mail) delivery has failed|"
    r"failed delivery|failure (?:notice|delivery)|returned mail|mail failure|non.?delivery|delivery notification|"
    r"warning: (?:message|could not send)|mail could not be delivered|could not be delivered|undelivered mail|"
    r"unzustellbar|nicht zustellbar|zustellung fehlgeschlagen|non remis|échec de la remise|non recapitabile|mancato recapito|"
    r"no se puede entregar|no entregado|não entregue|onbestelbaar|teslim edilemedi|iletilemeyen|niedostarczon|nedoručiteln|"
    r"недоставлен|не доставлен|ваше сообщение не доставлено|配信不能|メールエラー|退信|系统退信|배달되지|"
    r"there was an error sending your mail|you \S+ are not member|message status - undeliverable)",
    re.IGNORECASE,
)
_BOUNCE_TEXT = re.compile(
    r"(?:could not be delivered|couldn'?t be delivered|was(?:n'?t| not) delivered|delivery (?:to the following|has failed|failed)|"
    r"unable to deliver|undeliverable|permanent (?:fatal )?error|returned to sender|rejected your message|user unknown|"
    r"mailbox (?:unavailable|not found|full|is full)|does not exist|no such user|unknown user|recipient address rejected|"
    r"addresses had (?:permanent|transient)|not a member of this mailing list|did not reach the following|message that you sent|undelivered message|"
    r"failed permanently|quota exceeded|配送できません|送信できません|届きません|配信できません|宛先不明|\b5[0-5]\d[ -]5\.\d\.\d)",
    re.IGNORECASE,
)
_AUTO_SUBJECT = re.compile(
    r"^\W*(?:(?:re|aw|sv|antw)\W+)?(?:auto(?:matic|matische|matisch|matisk|mática|matica|matické|matyczna)?[- ]?(?:reply|response|answer|antwort|respuesta|"
    r"risposta|resposta|svar|odpowied[źz]|odpov[eě]ď|antwoord)|autoreply|autoresponse|auto:|out of (?:the )?office|away from|vacation|on (?:annual |parental )?leave|"
    r"abwesenheit(?:snotiz)?|automatische antwort|nicht im büro|réponse automatique|absence|absent|absent du bureau|respuesta automática|"
    r"fuera de la oficina|risposta automatica|fuori ufficio|resposta automática|ausência|automatisch antwoord|afwezig|autosvar|automatiskt svar|"
    r"frånvaro|fravær|automaattinen vastaus|poissa|autoodpowied|automatyczna odpowied|nieobecno|automatická odpověď|automatická odpoveď|nepřítomn|"
    r"automatikus válasz|házon kívül|otomatik yanıt|ofis dışında|автоответ|автоматический ответ|автоматична відповідь|răspuns automat|"
    r"自動応答|自動返信|不在|自动回复|自動回覆|자동 회신|부재중)",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9.-]+[A-Za-z0-9]")
_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_REPLY_CODE = re.compile(r"(?<![\d.])([45]\d\d)[ -](?!\d)")
_RECIPIENT_LINE = re.compile(
    r"(?:^|\n)[ \t]*(?:(?:to|recipient|final-recipient|original-recipient|failed recipient|user|address)[ \t]*:[^\n@]{0,60})?[<\"(']?("
    + _ADDRESS.pattern
    + r")[>\")']?[ \t]*(?:[:;,(\n\r]|$|\.\.\.)",
    re.IGNORECASE,
)
_RETURNED_HEADERS = re.compile(
    r"^(?:-{3,}.{0,80}|.{0,60}(?:copy of (?:the|your) message|original message|message header|returned message|"
    r"unsent message).{0,60})$",
    re.IGNORECASE | re.MULTILINE,
)
_MESSAGE_ID_LINE = re.compile(r"^[ \t>]*Message-ID[ \t]*:\s*(<[^<>\s]+>)", re.IGNORECASE | re.MULTILINE)
_ARF_TEXT = re.compile(
    r"^[ \t]*(?:Feedback-Type[ \t]*:|\"?complaintFeedbackType\"?)", re.IGNORECASE | re.MULTILINE
)
_SNS_BOUNCE = re.compile(r'\\?"notificationType\\?"\s*:\s*\\?"(Bounce|Complaint|Delivery)\\?"', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Classified:
    """The kind, whether it was generated (a list or machine wrote it), and what a report says."""

    kind: Kind = "message"
    automated: bool = False
    details: dict[str, str] = field(default_factory=dict)


def classify(
    mail: Mail, sender: Address | None, options: Mapping[str, str], envelope_from: str | None
) -> Classified:
    """What this mail is. `details` may hold `failed_recipient`, `status`, `refers_to`."""
    fields = mail.headers
    subject = fields.get("subject")
    if _is_loop(fields, sender, options):
        return Classified("loop", True)
    if _is_feedback(mail):
        return Classified("feedback_report", True, _reference(mail))
    if mail.first("message/disposition-notification") or _report_type(mail) == "disposition-notification":
        return Classified("read_receipt", True, _reference(mail))
    if _is_bounce(mail, subject, sender, envelope_from):
        return Classified("bounce", True, _failure(mail) | _reference(mail))
    if _is_auto_reply(mail, subject):
        return Classified("auto_reply", True)
    return Classified("message", _is_generated(fields, envelope_from))


def _is_loop(fields: Headers, sender: Address | None, options: Mapping[str, str]) -> bool:
    own = own_addresses(options)
    if any(
        value.strip().lower() in own or value.strip().lower() == "frontdesk"
        for value in fields.all(LOOP_HEADER)
    ):
        return True
    return sender is not None and sender.address.lower() in own


def _report_type(mail: Mail) -> str:
    return mail.root.params.get("report-type", "").lower()


def _is_feedback(mail: Mail) -> bool:
    if mail.first("message/feedback-report") or _report_type(mail) == "feedback-report":
        return True
    if any(value.lower() == "fbl" for value in mail.headers.all("x-loop")):
        return True
    head = mail.text[:_SCAN]
    if "Feedback-Type" in head or "complaint" in head[:8000].lower():
        amazon = _SNS_BOUNCE.search(head)
        if amazon is not None:
            return amazon[1].lower() == "complaint"
        if _ARF_TEXT.search(head):
            return True
    subject = mail.headers.get("subject").lower()
    if mail.headers.has("x-hmxmroriginalrecipient") or subject.startswith(
        ("complaint about message from", "abuse report")
    ):
        return True
    # Opt-out requests that mail programs send by List-Unsubscribe are complaints, not questions.
    return subject.strip() == "unsubscribe" and (
        mail.headers.has("apple-original-arrival-date") or "auto-submitted" in dict(mail.headers.fields)
    )


def _is_bounce(mail: Mail, subject: str, sender: Address | None, envelope_from: str | None) -> bool:
    if _report_type(mail) == "delivery-status" or mail.first(
        "message/delivery-status", "message/global-delivery-status"
    ):
        return True
    fields = mail.headers
    if fields.has("x-failed-recipients") or fields.has("x-actual-recipients"):
        return True
    amazon = _SNS_BOUNCE.search(mail.text[:_SCAN])
    if amazon is not None:
        return amazon[1].lower() == "bounce" or amazon[1].lower() == "delivery"
    daemon = bool(_DAEMON.search(fields.get("from")) or (sender and _DAEMON.search(sender.address)))
    null_sender = _null_sender(fields, envelope_from)
    worded = _BOUNCE_SUBJECT.match(subject) is not None
    told = _BOUNCE_TEXT.search(mail.text[:8192]) is not None
    if _says_vacation(fields, subject) and not (daemon or told):
        return False
    if daemon and (worded or told or null_sender or mail.first("message/rfc822", "text/rfc822-headers")):
        return True
    if worded and (null_sender or told or mail.first("message/rfc822", "text/rfc822-headers")):
        return True
    return (
        null_sender
        and told
        and (_STATUS.search(mail.text[:8192]) or _REPLY_CODE.search(mail.text[:8192]) or sender is None)
        is not None
    )


def _null_sender(fields: Headers, envelope_from: str | None) -> bool:
    if envelope_from is not None and not envelope_from.strip(" <>"):
        return True
    path = fields.raw("return-path")
    return path is not None and path.strip().upper() in (b"<>", b"<MAILER-DAEMON>", b"MAILER-DAEMON")


def _says_vacation(fields: Headers, subject: str) -> bool:
    auto = fields.get("auto-submitted").lower()
    return (
        auto.startswith("auto-replied")
        or fields.has("x-autoreply")
        or fields.has("x-autorespond")
        or bool(_AUTO_SUBJECT.match(subject))
    )


def _is_auto_reply(mail: Mail, subject: str) -> bool:
    fields = mail.headers
    submitted = fields.get("auto-submitted").strip().lower()
    if submitted.startswith("auto-replied") or (
        submitted.startswith("auto-generated") and fields.has("in-reply-to")
    ):
        return True
    if any(
        fields.has(name)
        for name in ("x-autoreply", "x-autorespond", "x-autoresponder", "x-mail-autoreply", "x-auto-reply")
    ):
        return True
    if fields.get("precedence").strip().lower() in ("auto_reply", "auto-reply"):
        return True
    if (
        fields.get("x-auto-response-suppress")
        and (_AUTO_SUBJECT.match(subject) or fields.has("in-reply-to"))
        and _null_sender(fields, None)
    ):
        return True
    answered = fields.has("in-reply-to") or fields.has("references") or _null_sender(fields, None)
    return _AUTO_SUBJECT.match(subject) is not None and (
        answered or submitted not in ("", "no") or bool(subject)
    )


def _is_generated(fields: Headers, envelope_from: str | None) -> bool:
    submitted = fields.get("auto-submitted").strip().lower()
    return (
        (submitted != "" and submitted != "no")
        or fields.get("precedence").strip().lower() in ("bulk", "junk", "list")
        or any(
            fields.has(name)
            for name in ("list-id", "list-unsubscribe", "x-auto-response-suppress", "feedback-id")
        )
        or _null_sender(fields, envelope_from)
    )


def _failure(mail: Mail) -> dict[str, str]:
    """The first failed recipient and its RFC 3463 status."""
    report = mail.first("message/delivery-status", "message/global-delivery-status")
    if report is not None:
        found = _from_report(report)
        if "failed_recipient" in found:
            return found
    else:
        found = {}
    head = _own_words(mail.text[:_SCAN])
    named = mail.headers.get("x-failed-recipients")
    recipient = _ADDRESS.search(named) or _RECIPIENT_LINE.search(head)
    if recipient is None:
        own = {mail.headers.get("to").strip(" <>").lower()}
        recipient = next(
            (m for m in _ADDRESS.finditer(head) if m[0].lower() not in own and not _DAEMON.search(m[0])), None
        )
    if recipient is not None:
        found["failed_recipient"] = recipient[1] if recipient.re is _RECIPIENT_LINE else recipient[0]
    status = _STATUS.search(head)
    if status is not None:
        found.setdefault("status", status[1])
    return found


def _own_words(text: str) -> str:
    """The report's own text, without the mail that it returns."""
    cut = _RETURNED_HEADERS.search(text, 40)
    return text[: cut.start()] if cut and _ADDRESS.search(text[: cut.start()]) else text


def _from_report(report: Part) -> dict[str, str]:
    """RFC 3464: blocks of fields, the first about the message, each other about one recipient."""
    rows: list[dict[str, str]] = []
    for block in re.split(rb"\r?\n[ \t]*\r?\n", report.content()[:_SCAN]):
        fields = entity(block + b"\n\n").headers
        given = (
            fields.get("final-recipient")
            or fields.get("original-recipient")
            or fields.get("x-actual-recipient")
        )
        address = _ADDRESS.search(given.partition(";")[2] or given)
        if given:
            status = _status(fields)
            named = address[0] if address else given.partition(";")[2].strip() or given.strip()
            row = {"failed_recipient": named}
            row |= {"status": status} if status else {}
            rows.append(row | {"action": fields.get("action").strip().lower()})
    if not rows:
        return {}
    worst = next((row for row in rows if row["action"] in ("failed", "failure")), rows[0])
    return {key: value for key, value in worst.items() if value}


_VAGUE = re.compile(r"\d\.0\.0|4\.4\.7")


def _status(fields: Headers) -> str | None:
    """The RFC 3463 status; the server's own words when the field says only that it failed or took too long."""
    stated, told = (_STATUS.search(fields.get(name)) for name in ("status", "diagnostic-code"))
    if stated is None or (told is not None and _VAGUE.fullmatch(stated[1])):
        return told[1] if told else None
    return stated[1]


def _reference(mail: Mail) -> dict[str, str]:
    """The Message-ID of the mail that the report is about."""
    returned = mail.first("message/rfc822", "message/global")
    candidates = [child.headers for child in returned.children] if returned else []
    only_headers = mail.first("text/rfc822-headers", "message/rfc822-headers", "message/global-headers")
    if only_headers is not None:
        candidates.append(entity(only_headers.content() + b"\n\n").headers)
    for fields in candidates:
        found = ids(fields.get("message-id"))
        if found:
            return {"refers_to": found[0]}
    notice = mail.first("message/disposition-notification", "message/feedback-report")
    if notice is not None:
        found = ids(entity(notice.content() + b"\n\n").headers.get("original-message-id"))
        if found:
            return {"refers_to": found[0]}
    inside = _MESSAGE_ID_LINE.findall(mail.text[:_SCAN])
    return {"refers_to": ids(inside[-1])[0]} if inside and ids(inside[-1]) else {}
