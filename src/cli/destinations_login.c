/* cli/destinations_login.c - destinations login: a person allows it at the provider, and the server gets the token.
 *
 * The authorization-code flow of RFC 6749 with PKCE (RFC 7636), for a native app (RFC 8252). The exchange runs here,
 * and what it came to goes to the server sealed, so that nothing on the way holds a token that can be read. */
#include "base/json.h"
#include "base/when.h"
#include "cli/commands.h"
#include "cli/login.h"
#include "cli/rehearse.h"
#include "cli/show.h"
#include "http/client.h"
#include "model/token.h"

#define LONG_US US_PER_DAY /* a token that lives so long is worth a login, also where nothing renews it */
#define PORT    8119

struct login {
    struct rehearsal rehearsal;
    const struct destination_settings *destination;
    struct call_context context;
    struct token_use use;
    uint16_t port;
    int page; /* where the browser is sent back to; -1 = a person pastes */
    struct token_answer token;
};

static int find_destination(struct cli *cli, struct login *login) {
    const struct settings *settings = login->rehearsal.setup->settings;
    size_t index = settings_destination(settings, cli_argument(cli, 0));
    if (index == SIZE_MAX) return rehearsal_no_destination(&login->rehearsal, cli_argument(cli, 0));
    login->destination = &settings->destinations[index];
    if (connect_has_way(login->destination, TOKEN_ASK)) return EXIT_DONE;
    return cli_fail(cli, EXIT_USAGE, "error: '%.*s' needs no login: it sends with what its configuration says",
                    STR_ARG(login->destination->name));
}

static int begin(struct cli *cli, struct login *login) {
    uint64_t port = PORT;
    struct str redirect = cli_value(cli, "redirect"), text = cli_value(cli, "port");
    if (text.n && (!str_to_u64(text, &port) || !port || port > UINT16_MAX))
        return cli_fail(cli, EXIT_USAGE, "error: --port is a number from 1 to 65535");
    login->port = (uint16_t)port;
    login->page = redirect.n ? -1 : login_listen(cli, login->port);
    login->use = (struct token_use){.verifier = login_random(cli->arena), .state = login_random(cli->arena)};
    login->use.redirect = redirect.n ? redirect : str_fmt(cli->arena, "http://127.0.0.1:%u/", login->port);
    login->context = (struct call_context){.destination = login->destination,
                                           .now_us = cli_wall_us(),
                                           .hasher = login->rehearsal.hasher,
                                           .arena = cli->arena,
                                           .token = &login->use};
    return EXIT_DONE;
}

static int let_a_person_allow(struct cli *cli, struct login *login) {
    struct outgoing page;
    struct str problem;
    if (connect_token_request(&login->context, TOKEN_ASK, &page, &problem))
        return cli_fail(cli, EXIT_FAILED, "error: %.*s", STR_ARG(rehearsal_redact(&login->rehearsal, problem)));
    cli_say(cli, "Open this address in a browser and allow it. %s",
            login->page >= 0 ? "A browser on another machine ends at a page that does not load:\n"
                               "paste that page's address here, or the code in it."
                             : "Then paste the address you are sent to here, or the code in it.");
    writer_fmt(&cli->out, "%.*s\n", STR_ARG(page.url));
    writer_flush(&cli->out);
    return login_wait(cli, login->page, login->use.state, &login->use.code);
}

static int exchange(struct cli *cli, struct login *login) {
    struct outgoing outgoing;
    struct answer answer = {0};
    struct str problem;
    struct evaluator evaluator = rehearsal_evaluator(&login->rehearsal);
    if (connect_token_request(&login->context, TOKEN_EXCHANGE, &outgoing, &problem))
        return cli_fail(cli, EXIT_FAILED, "error: %.*s", STR_ARG(rehearsal_redact(&login->rehearsal, problem)));
    client_call(&outgoing, EXCHANGE_ANSWER_MAX, cli->arena, &answer);
    connect_token_answer(&login->context, &answer, &evaluator, &login->token);
    if (login->token.end != TOKEN_MADE)
        return cli_fail(cli, EXIT_FAILED, "error: no token was given for the code: %.*s",
                        STR_ARG(rehearsal_redact(&login->rehearsal, login->token.error)));
    if (login->token.refresh.n) return EXIT_DONE;
    if (login->token.expires_us < login->context.now_us + LONG_US)
        return cli_fail(cli, EXIT_FAILED,
                        "error: a token came without one to renew it with: let the app ask for offline access");
    login->token.refresh_expires_us = login->token.expires_us; /* it is all there will be of this login */
    return EXIT_DONE;
}

static void show_kept(struct cli *cli, const struct json *destination) {
    struct str until = show_time(cli, show_member(cli, destination, "login_expires"));
    writer_fmt(&cli->out, "logged in %.*s%s%.*s\n", STR_ARG(show_member(cli, destination, "name")),
               until.n ? " until " : "", STR_ARG(until));
}

static int keep(struct cli *cli, struct login *login) {
    struct asked asked;
    struct str seed;
    const struct token_answer *token = &login->token;
    (void)connect_token_seed(&login->context, &seed);
    struct str name = login->destination->name, key = login->rehearsal.setup->settings->token_key;
    struct json *body = json_object();
    json_set_str(body, "sealed", token_seal(key, name, token->access, token->refresh, cli->arena));
    json_set_str(body, "seed", seed);
    if (token->expires_us) json_set_str(body, "expires", when_str(cli->arena, token->expires_us));
    if (token->refresh_expires_us) json_set_str(body, "login_expires", when_str(cli->arena, token->refresh_expires_us));
    struct str text = json_dump(cli->arena, body);
    json_free(body);
    int code = ask(cli, "POST", path_of(cli, "/v1/destinations/", name, "/login"), text, &asked);
    return code ? code : show_one(cli, &asked, "name", show_kept);
}

int command_destinations_login(struct cli *cli) {
    struct login login = {0};
    int code = rehearsal_open(cli, &login.rehearsal);
    if (code) return code;
    code = find_destination(cli, &login);
    if (!code) code = begin(cli, &login);
    if (!code) code = let_a_person_allow(cli, &login);
    if (!code) code = exchange(cli, &login);
    if (!code) code = keep(cli, &login);
    rehearsal_close(&login.rehearsal);
    return code;
}
