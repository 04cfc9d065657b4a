"""What mail programs write around mails, in many languages: data for quoting, forwarding and subjects."""

from __future__ import annotations


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split("|"))


REPLY_PREFIXES = _listed(
    "re|aw|antw|antwort|sv|vs|vá|ynt|yan|res|rép|réf|rif|r|odp|odpověď|atb|回复|回覆|答复|答覆|返信|답장|회신|отв|ответ|відп|απ|σχετ|"
    "απάντηση|תשובה|השב|رد|bls|tl|trả lời|vast|balas|ats|atsakymas|atbilde|válasz|răspuns|réponse|odgovor"
)
FORWARD_PREFIXES = _listed(
    "fwd|fw|wg|tr|trs|rv|enc|i|pd|vb|vl|vs|fs|doorst|doorgestuurd|ilt|i̇lt|ilet|iletilen|i̇letilen|videresendt|vidarebefordrat|"
    "továbbítva|továbbítás|turpmāk|preposl|přeposl|proslijeđeno|пересл|перенапр|пер|прд|转发|轉寄|转寄|転送|전달|העברה|إعادة توجيه|"
    "تحويل|weitergeleitet|inoltro|réexp|redirecționat|persiųsti|chuyển tiếp|προώθ"
)

# Labels of the header block that a program writes above a quoted or forwarded mail.
FROM = _listed(
    "From|Von|De|De la|Da|Van|Från|Fra|Od|Lähettäjä|Saatja|Feladó|Kimden|Gönderen|От|От кого|"
    "Отправитель|Від|Від кого|Šalje|Pošiljatelj|Pošiljalac|Expeditorul|Expeditor|de la|Expéditeur|"
    "Remitente|Mittente|Afzender|Absender|Avsändare|Afsender|Avsender|Nadawca|Odesílatel|Odosielateľ|"
    "Отправлено|Από|Αποστολέας|מאת|من|差出人|送信元|寄件者|寄件人|发件人|發件人|보낸 사람|보낸사람|Nuo|Siuntėjas|No|Sūtītājs|"
    "Izpilde|Dari|Từ|จาก|Desde|Forfatter|Autor|Подател|Од"
)
TO = _listed(
    "To|An|À|A|Para|Do|Aan|Till|Til|Komu|Pre|Vastaanottaja|Saaja|Adressaat|Címzett|Kime|Alıcı|Кому|"
    "Получатель|Prima|Za|Primatelj|Destinatarul|Către|Catre|Destinataire|Destinatario|Destinatário|"
    "Ontvanger|Empfänger|Mottagare|Modtager|Mottaker|Adresat|Příjemce|Prejemnik|Προς|אל|إلى|宛先|送信先|收件者|"
    "收件人|받는 사람|받는사람|Kam|Kepada|Đến|ถึง|До|За"
)
CC = _listed(
    "Cc|CC|cc|Kopie|Kopia|Kopi|Kopija|Kópia|Kopio|Koopia|Másolat|Másolatot kap|Bilgi|Копия|Копія|Dw|DW|"
    "UDW|Copie|Copia|Cópia|Κοιν|Κοινοποίηση|עותק|נסخة|نسخة|写し|抄送|副本|참조|Tembusan|สำเนา|Blind copy|Kopje|"
    "Kopiya"
)
SUBJECT = _listed(
    "Subject|Betreff|Objet|Asunto|Oggetto|Assunto|Onderwerp|Ämne|Emne|Temat|Předmět|Predmet|Aihe|Teema|"
    "Tárgy|Konu|Тема|Naslov|Subiectul|Subiect|Θέμα|נושא|الموضوع|件名|主旨|主题|主題|제목|Tema|Temats|Subyek|"
    "Subjek|Perihal|Chủ đề|เรื่อง|Относно|Asunto del mensaje"
)
DATE = _listed(
    "Date|Sent|Datum|Gesendet|Envoyé|Enviado|Enviada|Inviato|Verzonden|Skickat|Sendt|Wysłano|Wysłane|"
    "Odesláno|Odoslané|Lähetetty|Saadetud|Küldve|Elküldve|Dátum|Gönderildi|Gönderme Tarihi|Tarih|"
    "Отправлено|Дата|Дата отправки|Надіслано|Poslano|Poslato|Trimis|Dată|Data|Fecha|Dato|Päivämäärä|"
    "Kuupäev|Envoyé le|Ημερομηνία|Στάλθηκε|תאריך|נשלח|التاريخ|تاريخ|日付|送信日時|送信日|日期|发送时间|寄件日期|傳送時間|發送時間|"
    "날짜|보낸 날짜|Data wysłania|Išsiųsta|Nosūtīts|Tanggal|Dikirim|Ngày|Đã gửi|วันที่|ส่ง|Datums|Изпратено|"
    "Enviado el|Enviado em|Data de envio|Date d'envoi|Pvm|Skickades"
)
REPLY_TO = _listed(
    "Reply-To|Antwort an|Répondre à|Responder a|Responder para|Rispondi a|Antwoord aan|Svara till|"
    "Svar til|Odpowiedz do|Odpověď|Odpovedať|Vastaus|Vastausosoite|Válaszcím|Yanıt Adresi|Yanıtla|"
    "Ответить|Кому ответить|Odgovori|Răspuns la|返信先|Organization|Organisation|Importance|Priority|"
    "Attachments|Anhänge|Wichtigkeit|Bilagor|Vedhæftede filer|Bcc|Resent-From|Message-ID|Newsgroups|"
    "References|In-Reply-To|Return-Path|Mailing-List|Importancia|Anlagen|Pièces jointes"
)

# The line above a forwarded mail (between dashes, or with a colon), lower case.
FORWARD_MARKERS = _listed(
    "forwarded message|forwarded by|forwarded email|forward message|forwarded mail|"
    "begin forwarded message|weitergeleitete nachricht|anfang der weitergeleiteten nachricht|"
    "weitergeleitete e-mail|message transféré|message transmis|message réexpédié|"
    "début du message transféré|début du message réexpédié|mensaje reenviado|mensaje remitido|"
    "inicio del mensaje reenviado|messaggio inoltrato|messaggio reindirizzato|"
    "inizio messaggio inoltrato|inizio del messaggio inoltrato|mensagem encaminhada|"
    "mensagem reencaminhada|início da mensagem encaminhada|início da mensagem reencaminhada|"
    "doorgestuurd bericht|begin doorgestuurd bericht|vidarebefordrat meddelande|vidarebefordrat mejl|"
    "vidarebefordrat brev|vidarebefordrad e-post|videresendt besked|videresendt meddelelse|"
    "start på videresendt besked|videresendt melding|videresendt e-post|"
    "początek przekazywanej wiadomości|przekazana wiadomość|wiadomość przesłana dalej|"
    "przesłana wiadomość|wiadomość przekazana|začátek přeposílané zprávy|přeposlaná zpráva|"
    "předaná zpráva|preposlaná správa|začiatok preposlanej správy|edelleen lähetetty viesti|"
    "edelleenlähetetty viesti|välitetty viesti alkaa|välitetty viesti|edastatud kiri|edastatud sõnum|"
    "továbbított üzenet|továbbított levél|továbbított levél kezdete|iletilen ileti|iletilmiş ileti|"
    "yönlendirilmiş ileti|iletilen mesaj|i̇letilen i̇leti|i̇leti başlangıcı|ileti başlangıcı|"
    "i̇letilmiş ileti|yönlendirilen ileti|начало переадресованного сообщения|пересылаемое сообщение|"
    "пересланное сообщение|перенаправленное сообщение|переадресованное сообщение|пересылаемое письмо|"
    "початок листа, що пересилається|перенаправлене повідомлення|переслане повідомлення|"
    "переслане сообщение|препратено съобщение|препратено писмо|započni proslijeđenu poruku|"
    "proslijeđena poruka|prosleđena poruka|прослеђена порука|posredovano sporočilo|"
    "începe mesajul redirecționat|mesaj redirecționat|mesaj redirectionat|mesaj transmis|"
    "προωθημένο μήνυμα|αρχή προωθημένου μηνύματος|הודעה שהועברה|הודעה מועברת|رسالة معاد توجيهها|"
    "رسالة تمت إعادة توجيهها|الرسالة المُعاد توجيهها|转发的邮件|转发邮件|轉寄郵件|轉寄的郵件|轉寄訊息|已转发邮件|已轉寄的郵件|転送メッセージ|"
    "転送されたメッセージ|メッセージを転送|転送メール|ここから転送|전달된 메시지|전달된 메세지|전달된 이메일|persiųstas laiškas|"
    "persiunčiamas laiškas|pārsūtīta vēstule|pārsūtītais ziņojums|pesan terusan|pesan diteruskan|"
    "thư chuyển tiếp|tin nhắn đã chuyển tiếp|ข้อความที่ส่งต่อ|missatge reenviat|mezu birbidalia|"
    "áframsend skilaboð"
)
# The same for a quoted original, which is a forward only if the subject says so.
ORIGINAL_MARKERS = _listed(
    "original message|original mail|original email|reply message|replied message|original appointment|"
    "ursprüngliche nachricht|original-nachricht|originalnachricht|original nachricht|"
    "ursprüngliche mail|message d'origine|message original|message d’origine|mensaje original|"
    "mensaje de origen|messaggio originale|messaggio original|mensagem original|"
    "oorspronkelijk bericht|originele bericht|origineel bericht|ursprungligt meddelande|"
    "originalmeddelande|oprindelig meddelelse|original meddelelse|opprinnelig melding|"
    "original melding|wiadomość oryginalna|oryginalna wiadomość|wiadomość pierwotna|původní zpráva|"
    "původní e-mail|pôvodná správa|alkuperäinen viesti|algne sõnum|algne kiri|eredeti üzenet|"
    "orijinal mesaj|özgün ileti|orjinal mesaj|özgün mesaj|orijinal ileti|исходное сообщение|"
    "оригинальное сообщение|исходное письмо|первоначальное сообщение|вихідне повідомлення|"
    "оригінальне повідомлення|оригинално съобщение|izvorna poruka|originalna poruka|оригинална порука|"
    "izvirno sporočilo|mesaj original|mesajul original|αρχικό μήνυμα|ההודעה המקורית|הודעה מקורית|"
    "الرسالة الأصلية|原始邮件|原始郵件|原邮件|原始訊息|元のメッセージ|オリジナルメッセージ|원본 메시지|원본 메일|original meldning|"
    "originalus laiškas|pradinis laiškas|oriģinālais ziņojums|pesan asli|thư gốc|ข้อความต้นฉบับ|"
    "missatge original|oорспронкелийк"
)

# "… wrote": the words that, with a date or an address beside them, introduce a quote.
WROTE = (
    "wrote|sent|writes|has written|schrieb|geschrieben|a écrit|à écrit|écrit|escribió|escribio|escribiu|ha scritto|scrisse|scritto|escreveu|"
    "va escriure|skrev|skrifaði|kirjoitti|kirjutas|napisał(?:a|\\(a\\))?|napisała|napsal(?:a|\\(a\\))?|napísal(?:a|\\(a\\))?|"
    "napisao(?:/la)?|napisala|je napisao|je napisala|je napisao/la|pisze|pisał|piše|je pisao|schreef|geschreven|het volgende geschreven|"
    "yazdı|yazmış|yazdı|şunları yazdı|şunu yazdı|написал(?:а|\\(а\\))?|написала|пишет|написав(?:ла|\\(ла\\))?|пише|написа|"
    "a scris|írta|ezt írta|έγραψε|γράφει|כתב(?:ה)?|‏כתב|كتب(?:ت)?|"
    "rašė|parašė|rakstīja|uzrakstīja|je napisal(?:a)?|je napísal|menulis|đã viết|viết|เขียน|following"
)
# The same in scripts that put no space between words.
WROTE_UNSPACED = "写道|寫道|写到|書きました|のメール|作成|작성"
# Words that stand first in such a line, in languages where that says something by itself.
SENT_FROM = (
    "sent from (?:my|a|the|mail|mobile|outlook|yahoo|gmail|samsung|proton|windows|iphone|ipad|galaxy|huawei|spark|aol|email|airmail)|get outlook for|"
    "sent via|sent with|sent by|sent using|von meine[mnr]|gesendet (?:von|mit|über)|von unterwegs|diese nachricht wurde von meine[mnr]|"
    "envoyé de(?:puis)?|envoyé à partir|envoyé avec|télécharger outlook|obtenez outlook|enviado (?:desde|do|de|a partir|via|por)|"
    "obtener outlook|obter o outlook|inviato d(?:a|al|allo|alla)|inviata d(?:a|al)|ottieni outlook|verzonden (?:vanaf|met|via|vanuit)|"
    "verstuurd vanaf|outlook voor|skickat från|skickades från|hämta outlook|sendt fra|hent outlook|lähetetty|hanki outlook|"
    "saadetud minu|wysłane z|wysłano z|pobierz (?:program )?outlook|odesláno z|odesláno ze|odoslané z|odoslané zo|stáhnout outlook|"
    "elküldve|küldve|gönderildi|.{0,30}(?:iphone|ipad|android|samsung|cihaz)\\S* gönderildi|отправлено с|отправлено из|надіслано з|"
    "надіслано із|изпратено от|poslano s|poslano sa|trimis de pe|στάλθηκε από|iphoneから送信|ipadから送信|.{0,20}から送信|발신|"
    "나의 .{1,20}에서 보냄|.{0,20}에서 보냄|发自我的|从我的|發自我的|從我的|נשלח מ|أرسلت من|dikirim dari|được gửi từ|ส่งจาก|išsiųsta iš"
)
