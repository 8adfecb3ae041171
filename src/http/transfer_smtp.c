/* http/transfer_smtp.c - a mail through libcurl, which logs in, stuffs dots and waits for each reply; see transfer.h.
 *
 * WHAT  Tells the library the envelope, hands it the mail, and overhears the conversation.
 * PROMISE  The end says truly whether the mail may have been taken on. It never is before its last byte left: until
 *   then every trouble is BROKEN_OFF, and the mail may be sent again. Afterwards only a whole reply to it ends the
 *   doubt. A name and password go over TLS, or to a loopback address.
 * WHY IT HOLDS  1. The library's own words are no guide: a refused recipient is "failed sending data", and a server
 *   without STARTTLS leaves the code 250 of its greeting. So replies are overheard with what they reply to (talk.h);
 *   one decides before any word of the library does.
 *   2. The library asks on_read for the mail only after the reply to DATA, and sends the closing dot only after on_read
 *   gave the last byte. There `began` is set.
 *   3. CURLUSESSL_ALL ends the call where STARTTLS is not offered, before anything is told; `plain` is judged at the
 *   socket (passage.c). Where a password is set and no AUTH was offered, the library would go on without: on_send stops
 *   it.
 * WHAT BREAKS IT  A library that reads ahead of the reply to DATA. The library waits for the reply to the mail, and for
 *   a farewell after QUIT, without letting go of its thread: it must have one of its own (mailer.c), and on_talk ends
 *   the second wait by making the socket deaf.
 * HOW TO SEE IT  The error of an attempt names the stage: "answered 550: RCPT TO: 5.1.1 ...".
 * TESTED BY  test/unit/http/test_talk.c; test/e2e/test_smtp.py, test_smtp_stages.py. */
#include "http/transfer.h"

#include <stdio.h>
#include <string.h>

#include "base/when.h"

static int on_talk(CURL *easy, curl_infotype type, char *bytes, size_t n, void *cls) {
    (void)easy;
    struct transfer *transfer = cls;
    if (type != CURLINFO_HEADER_OUT) return 0;
    talk_say(&transfer->talk, (struct str){bytes, n});
    if (transfer->talk.stage == TALK_QUIT && transfer->host) lines_deafen(transfer->host->lines);
    return 0;
}

static size_t on_reply(char *line, size_t size, size_t count, void *cls) {
    struct transfer *transfer = cls;
    talk_hear(&transfer->talk, (struct str){line, size * count});
    transfer->passage.talked = true;
    return size * count;
}

static size_t on_read(char *to, size_t size, size_t count, void *cls) {
    struct transfer *transfer = cls;
    struct str left = str_sub(transfer->outgoing->body, transfer->given, size * count);
    if (left.n) memcpy(to, left.p, left.n);
    transfer->given += left.n;
    if (transfer->given == transfer->outgoing->body.n && !transfer->passage.began) {
        transfer->passage.began = true;
        talk_end_message(&transfer->talk);
    }
    return left.n;
}

static int on_progress(void *cls, curl_off_t to_come, curl_off_t came, curl_off_t to_go, curl_off_t went) {
    (void)to_come, (void)came, (void)to_go, (void)went;
    const struct transfer *transfer = cls;
    return atomic_load(&transfer->passage.cancelled);
}

void transfer_new_smtp(struct transfer *transfer) {
    CURL *easy = transfer->easy;
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(easy, CURLOPT_MAXCONNECTS, 1L);
    curl_easy_setopt(easy, CURLOPT_VERBOSE, 1L); /* else nothing that is said is overheard */
    curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, on_talk);
    curl_easy_setopt(easy, CURLOPT_DEBUGDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_reply);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, transfer);
}

/* The library compares the mail's size with what it sent, and counts the dots that it added. */
static curl_off_t told_size(struct str mail) {
    bool stuffed = str_starts(mail, STR(".")) || (mail.n && memmem(mail.p, mail.n, "\r\n.", 3));
    return stuffed ? -1 : (curl_off_t)mail.n;
}

static void set_text(struct transfer *transfer, CURLoption option, struct str text) {
    curl_easy_setopt(transfer->easy, option, text.n ? str_dup(&transfer->texts, text).p : NULL);
}

void transfer_set_smtp(struct transfer *transfer) {
    const struct outgoing *outgoing = transfer->outgoing;
    const struct envelope *envelope = &outgoing->envelope;
    CURL *easy = transfer->easy;
    talk_reset(&transfer->talk);
    transfer->given = 0;
    transfer->nodes[0] = (struct curl_slist){.data = (char *)(uintptr_t)str_dup(&transfer->texts, envelope->to).p};
    set_text(transfer, CURLOPT_URL,
             str_fmt(&transfer->texts, "%.*s/%.*s", STR_ARG(outgoing->url), STR_ARG(envelope->helo)));
    set_text(transfer, CURLOPT_USERNAME, envelope->user);
    set_text(transfer, CURLOPT_PASSWORD, envelope->password);
    set_text(transfer, CURLOPT_MAIL_FROM, envelope->from);
    curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, envelope->to.n ? transfer->nodes : NULL);
    curl_easy_setopt(easy, CURLOPT_UPLOAD, envelope->to.n ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, envelope->to.n ? NULL : "NOOP");
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, told_size(outgoing->body));
    curl_easy_setopt(easy, CURLOPT_USE_SSL, (long)(envelope->plain ? CURLUSESSL_NONE : CURLUSESSL_ALL));
    curl_easy_setopt(easy, CURLOPT_SERVER_RESPONSE_TIMEOUT, (long)(outgoing->timeout_us / US_PER_S + 1));
}

static bool is_ascii(struct str text) {
    for (size_t i = 0; i < text.n; i++)
        if ((uint8_t)text.p[i] >= 0x80) return false;
    return true;
}

/* Before MAIL FROM. A new connection without AUTH had none to offer: the mail would go out under nobody's name. The
 * library gives an address beyond ASCII to a server that does not take such ones, which RFC 6531 forbids (3.2), and
 * what becomes of the mail then is anybody's guess. */
bool transfer_fits_smtp(struct transfer *transfer) {
    const struct talk *talk = &transfer->talk;
    const struct envelope *envelope = &transfer->outgoing->envelope;
    if (envelope->user.n && talk->greeted && !talk->secret)
        transfer->passage.unfit = "the server offers no way to log in";
    else if (!talk->utf8 && !(is_ascii(envelope->from) && is_ascii(envelope->to)))
        transfer->passage.misfit = "the server takes no address with letters beyond ASCII (it offers no SMTPUTF8); a "
                                   "domain can be written as xn--...";
    return !transfer->passage.unfit && !transfer->passage.misfit;
}

/* The library does not say where it was. */
static void name_stage(struct transfer *transfer, CURLcode code) {
    char words[CURL_ERROR_SIZE];
    snprintf(words, sizeof words, "%s", transfer->trouble[0] ? transfer->trouble : curl_easy_strerror(code));
    snprintf(transfer->trouble, sizeof transfer->trouble, "at %s: %.200s", talk_stage_text(transfer->talk.stage),
             words);
}

void transfer_end_smtp(struct transfer *transfer, CURLcode code) {
    struct passage *passage = &transfer->passage;
    if (passage->talked) name_stage(transfer, code);
    passage->answered = talk_is_decided(&transfer->talk);
    if (passage->answered) talk_answer(&transfer->talk, &transfer->answer);
    if (code == CURLE_USE_SSL_FAILED) passage->unfit = "the server offers no STARTTLS, so it was told nothing";
    if (code == CURLE_LOGIN_DENIED && !passage->answered)
        passage->unfit = "the server offers no way to log in that is known here";
}
