/* cli/demo_receiver.c - `demo --receiver`: a destination on this machine, for a first configuration. It shows what
 * comes and says yes to all of it. */
#include "cli/demo.h"

#include "base/when.h"

#define TOGETHER 16
#define LOOK_US  (200 * US_PER_MS)

static void show(struct cli *cli, const struct request *request) {
    static const char *const headers[] = {"X-Drumbeat-Type", "Idempotency-Key", "X-Drumbeat-Attempt"};
    writer_fmt(&cli->out, "%.*s ", STR_ARG(request->method));
    writer_safe(&cli->out, request->path);
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        struct str value = request_header(request, str_from(headers[i]));
        if (!value.n) continue;
        writer_fmt(&cli->out, "  %s: ", headers[i]);
        writer_safe(&cli->out, value);
    }
    writer_add(&cli->out, STR("\n  "));
    writer_safe(&cli->out, request->body);
    writer_add(&cli->out, STR("\n"));
    writer_flush(&cli->out);
}

int demo_receive(struct cli *cli, struct str port) {
    struct wake *wake = wake_new();
    struct clock clock = wake_clock(wake);
    struct listener *listener;
    struct str problem;
    int64_t number;
    if (!str_to_i64(port, &number) || number < 0 || number > 65535 ||
        demo_listen((uint16_t)number, &clock, wake, cli->arena, &listener, &problem)) {
        wake_free(wake);
        return cli_fail(cli, EXIT_FAILED, "error: port %.*s cannot be listened on; --port names another",
                        STR_ARG(port));
    }
    const struct inlet inlet = listener_inlet(listener);
    const struct reply reply = {.status = 200, .content_type = STR("application/json"), .body = STR("{}")};
    struct request *requests[TOGETHER];
    writer_fmt(&cli->out, "http://127.0.0.1:%u takes what is sent to it and shows it, until Ctrl-C\n",
               listener_port(listener));
    writer_flush(&cli->out);
    while (!cli_stopped(cli)) {
        size_t count = inlet.collect(inlet.self, requests, TOGETHER);
        for (size_t i = 0; i < count; i++) {
            show(cli, requests[i]);
            inlet.reply(inlet.self, requests[i], &reply);
        }
        if (!count) clock.wait(clock.self, clock.now_us(clock.self) + LOOK_US);
    }
    listener_close(listener);
    wake_free(wake);
    return EXIT_DONE;
}
