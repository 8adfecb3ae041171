/* cli/destinations_test.c - destinations test: a sample request, shown or really sent. */
#include <string.h>

#include "base/hash.h"
#include "base/when.h"
#include "cli/commands.h"
#include "cli/connectors.h"
#include "cli/rehearse.h"
#include "cli/show.h"
#include "http/client.h"
#include "model/expiry.h"

struct sample {
    struct event event;
    struct delivery delivery;
    struct call_context context;
    const struct delivery *deliveries[1];
    struct outgoing outgoing;
    struct token_use use;
};

/* "hubspot.contact": the destination and the action; an action not named is its first. */
static int find_target(const struct rehearsal *rehearsal, const struct destination_settings **ret_destination,
                       struct str *ret_action) {
    struct cli *cli = rehearsal->cli;
    const struct settings *settings = rehearsal->setup->settings;
    struct str named = cli_argument(cli, 0);
    size_t dot = str_find(named, '.'), index = settings_destination(settings, str_sub(named, 0, dot));
    if (index == SIZE_MAX) return rehearsal_no_destination(rehearsal, str_sub(named, 0, dot));
    const struct destination_settings *destination = &settings->destinations[index];
    struct str action = dot == SIZE_MAX ? STR("") : str_sub(named, dot + 1, named.n);
    if (!action.n && destination->action_count) action = destination->actions[0].name;
    if (!destination_action(destination, action))
        return cli_fail(cli, EXIT_NOT_FOUND, "error: '%.*s' has no action '%.*s'", STR_ARG(destination->name),
                        STR_ARG(action));
    *ret_destination = destination;
    *ret_action = action;
    return EXIT_DONE;
}

static struct uuid random_id(void) {
    struct uuid last = {0};
    struct rng rng;
    uint64_t seed;
    hash_random(&seed, sizeof seed);
    rng_seed(&rng, seed);
    return uuid_v7(cli_wall_us(), &rng, &last);
}

static int make_sample(struct rehearsal *rehearsal, struct sample *sample) {
    struct cli *cli = rehearsal->cli;
    struct str action, problem;
    const struct destination_settings *destination = NULL;
    int code = find_target(rehearsal, &destination, &action);
    if (code) return code;
    const struct catalog_entry *entry =
        catalog_find(connectors_catalog(rehearsal->setup->connectors), destination->type);
    struct uuid id = random_id(); /* each test is a fact of its own, so no provider takes it for a double */
    int64_t now_us = cli_wall_us();
    sample->event = (struct event){.id = id,
                                   .key = uuid_str(cli->arena, id),
                                   .type = STR("drumbeat.test"),
                                   .source = STR("cli"),
                                   .payload = STR("{\"test\":true,\"from\":\"drumbeat destinations test\"}"),
                                   .scheduled_us = now_us,
                                   .created_us = now_us};
    sample->delivery =
        (struct delivery){.event_id = id,
                          .destination = destination->name,
                          .action = action,
                          .route = STR("test"),
                          .step = STR("test"),
                          .params = action.n && entry ? connector_sample(cli->arena, entry, action, now_us) : STR(""),
                          .due_us = now_us,
                          .created_us = now_us,
                          .event = &sample->event};
    delivery_identify(rehearsal->hasher, &sample->event, &sample->delivery);
    sample->deliveries[0] = &sample->delivery;
    sample->context = (struct call_context){.destination = destination,
                                            .deliveries = sample->deliveries,
                                            .count = 1,
                                            .now_us = now_us,
                                            .hasher = rehearsal->hasher,
                                            .arena = cli->arena};
    if (!connect_request(&sample->context, &sample->outgoing, &problem)) return EXIT_DONE;
    return cli_fail(cli, EXIT_FAILED, "error: no request can be made of a sample: %.*s",
                    STR_ARG(rehearsal_redact(rehearsal, problem)));
}

/* Where it sends with a token: asks for one and makes the request with it. A login's token is the server's alone, and
 * to renew it here would use up the server's. */
static int take_token(struct rehearsal *rehearsal, struct sample *sample) {
    struct cli *cli = rehearsal->cli;
    const struct destination_settings *destination = sample->context.destination;
    struct evaluator evaluator = rehearsal_evaluator(rehearsal);
    struct outgoing outgoing;
    struct answer answer = {0};
    struct token_answer token;
    struct str problem;
    if (!connect_has_token(destination)) return EXIT_DONE;
    if (!connect_has_way(destination, TOKEN_GET))
        return cli_fail(
            cli, EXIT_FAILED,
            "error: '%.*s' needs a login, whose token only the server has: send an event to it, and look at "
            "drumbeat destinations show %.*s",
            STR_ARG(destination->name), STR_ARG(destination->name));
    sample->context.token = &sample->use;
    if (connect_token_request(&sample->context, TOKEN_GET, &outgoing, &problem))
        return cli_fail(cli, EXIT_FAILED, "error: no token can be asked for: %.*s",
                        STR_ARG(rehearsal_redact(rehearsal, problem)));
    client_call(&outgoing, EXCHANGE_ANSWER_MAX, cli->arena, &answer);
    connect_token_answer(&sample->context, &answer, &evaluator, &token);
    if (token.end != TOKEN_MADE)
        return cli_fail(cli, EXIT_FAILED, "error: no token was given: %.*s",
                        STR_ARG(rehearsal_redact(rehearsal, token.error)));
    sample->use.access = token.access;
    if (!connect_request(&sample->context, &sample->outgoing, &problem)) return EXIT_DONE;
    return cli_fail(cli, EXIT_FAILED, "error: %.*s", STR_ARG(rehearsal_redact(rehearsal, problem)));
}

/* What came back, and what the connector makes of it. */
static struct json *send_sample(struct rehearsal *rehearsal, struct sample *sample, enum outcome_class *ret_class) {
    struct cli *cli = rehearsal->cli;
    struct answer answer = {0};
    struct outcome outcome = {0};
    struct evaluator evaluator = rehearsal_evaluator(rehearsal);
    int64_t began_us = cli_now_us();
    if (sample->outgoing.scheme == OUTGOING_SMTP) /* all but the mail: nobody asked for one at the sample's address */
        sample->outgoing.envelope.to = sample->outgoing.body = STR("");
    client_call(&sample->outgoing, EXCHANGE_ANSWER_MAX, cli->arena, &answer);
    int64_t took_us = cli_now_us() - began_us;
    connect_answer(&sample->context, &answer, &evaluator, &outcome);
    struct json *result = json_object();
    json_set_str(result, "outcome", str_from(outcome_text(outcome.class)));
    json_set(result, STR("http_status"), outcome.http_status ? json_int(outcome.http_status) : NULL);
    json_set_int(result, "took_ms", took_us / US_PER_MS);
    json_set(result, STR("pauses"), json_bool(outcome.pause));
    if (answer.holds_until_us) json_set_str(result, "certificate_expires", when_str(cli->arena, answer.holds_until_us));
    json_set_str(result, "error", rehearsal_redact(rehearsal, outcome.error));
    json_set_str(result, "answer", rehearsal_redact(rehearsal, outcome.answer));
    *ret_class = outcome.class;
    return result;
}

static void show_result(struct cli *cli, const struct json *result, bool mail) {
    struct str outcome = show_member(cli, result, "outcome"), status = show_member(cli, result, "http_status");
    struct str error = show_member(cli, result, "error"), answer = show_member(cli, result, "answer");
    writer_add(&cli->out, STR("\n"));
    writer_add(&cli->out, status_coloured(cli->arena, outcome, cli->colour));
    writer_fmt(&cli->out, "  %.*s  %.*s ms  ", STR_ARG(status), STR_ARG(show_member(cli, result, "took_ms")));
    writer_safe(&cli->out, error.n ? error : answer);
    writer_add(&cli->out, STR("\n"));
    if (mail && str_eq(outcome, STR("done"))) cli_say(cli, "The server would take a mail; none was sent.");
    struct str expires = show_time(cli, show_member(cli, result, "certificate_expires"));
    if (expires.n) cli_say(cli, "The certificate of its server ends %.*s.", STR_ARG(expires));
    bool untrusted = expiry_is_blamed(error);
    if (json_true(json_get(result, STR("pauses"))))
        cli_say(cli, untrusted ? "A delivery that meets this pauses the destination; nothing was sent."
                               : "A delivery with this answer pauses the destination: the account is refused. Look at "
                                 "its token.");
}

static int run(struct rehearsal *rehearsal, struct sample *sample) {
    struct cli *cli = rehearsal->cli;
    enum outcome_class class = OUTCOME_DONE;
    bool sends = cli_flag(cli, "send") && !cli->dry_run;
    struct json *answer = json_object(), *request = rehearsal_request(rehearsal, &sample->outgoing), *result = NULL;
    int code = sends ? take_token(rehearsal, sample) : EXIT_DONE;
    if (code) {
        json_free(answer);
        json_free(request);
        return code;
    }
    if (sends) result = send_sample(rehearsal, sample, &class);
    json_set_str(answer, "name", sample->delivery.destination);
    json_set(answer, STR("request"), request);
    json_set(answer, STR("result"), result);
    if (!show_machine(cli, json_dump(cli->arena, answer), "name", &code)) {
        rehearsal_show(cli, request);
        if (sends)
            show_result(cli, result, sample->outgoing.scheme == OUTGOING_SMTP);
        else
            cli_say(cli, "Not sent. Really send it: drumbeat destinations test %.*s --send",
                    STR_ARG(cli_argument(cli, 0)));
    }
    json_free(answer);
    return code ? code : class == OUTCOME_DONE ? EXIT_DONE : EXIT_FAILED;
}

int command_destinations_test(struct cli *cli) {
    struct rehearsal rehearsal;
    struct sample sample = {0};
    int code = rehearsal_open(cli, &rehearsal);
    if (code) return code;
    code = make_sample(&rehearsal, &sample);
    if (!code) code = run(&rehearsal, &sample);
    rehearsal_close(&rehearsal);
    return code;
}
