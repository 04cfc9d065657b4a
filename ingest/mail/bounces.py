"""What a mail is that no person wrote to us: delivery report, automatic answer, complaint, receipt, our own loop."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from contracts.inbound import Kind
from ingest.mail import reports
from ingest.mail.headers import Address, Headers
from ingest.mail.mime import Mail

LOOP_HEADER = "x-loop"

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
_REPLY_CODE = re.compile(r"(?<![\d.])([45]\d\d)[ -](?!\d)")
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
    mail: Mail, sender: Address | None, own: frozenset[str], envelope_from: str | None, replaced: bool = False
) -> Classified:
    """What this mail is. `own`: our addresses; `replaced`: From is ours, but somebody else wrote through it. `details` may hold `failed_recipient`, `status`, `refers_to`."""
    fields = mail.headers
    subject = fields.get("subject")
    if _is_loop(fields, None if replaced else sender, own):
        return Classified("loop", True)
    if _is_feedback(mail):
        return Classified("feedback_report", True, reports.reference(mail))
    if mail.first("message/disposition-notification") or _report_type(mail) == "disposition-notification":
        return Classified("read_receipt", True, reports.reference(mail))
    if _is_bounce(mail, subject, sender, envelope_from):
        return Classified("bounce", True, reports.failure(mail) | reports.reference(mail))
    if _is_auto_reply(mail, subject):
        return Classified("auto_reply", True)
    return Classified("message", _is_generated(fields, envelope_from))


def _is_loop(fields: Headers, sender: Address | None, own: frozenset[str]) -> bool:
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
    head = mail.text[: reports.MAX_SCAN]
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
    amazon = _SNS_BOUNCE.search(mail.text[: reports.MAX_SCAN])
    if amazon is not None:
        return amazon[1].lower() == "bounce" or amazon[1].lower() == "delivery"
    daemon = bool(
        reports.DAEMON.search(fields.get("from")) or (sender and reports.DAEMON.search(sender.address))
    )
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
        and (
            reports.STATUS.search(mail.text[:8192]) or _REPLY_CODE.search(mail.text[:8192]) or sender is None
        )
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
