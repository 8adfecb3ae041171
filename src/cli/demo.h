/* cli/demo.h - the pieces of `drumbeat demo`: a pretend world of providers in
 * this process, and a visitor who posts events and tells what happened. The
 * server between them is the real one. */
#ifndef CLI_DEMO_H
#define CLI_DEMO_H

#include "cli/command.h"
#include "http/listener.h"

/* A small listener on a loopback port that needs no key; port 0 = any. */
MUST_USE enum err demo_listen(uint16_t port, struct clock *clock, struct wake *wake, struct arena *arena,
                              struct listener **ret_listener, struct str *ret_problem);

/* ---- demo_receiver.c: a destination for a first configuration; an exit code ---- */
int demo_receive(struct cli *cli, struct str port);

/* ---- demo_world.c: crm, mail and chat on a loopback port of their own, on a thread of their own ---- */
struct demo_world;
MUST_USE enum err demo_world_open(struct arena *arena, struct demo_world **ret_world, struct str *ret_problem);
uint16_t demo_world_port(const struct demo_world *world);
/* What reached a provider: calls, and effects that exist, that name this e-mail address. Any thread. */
struct demo_tally {
    size_t crm_posts, crm_lookups, crm_effects, mail_posts, mail_effects, chat_effects;
};
struct demo_tally demo_world_tally(struct demo_world *world, struct str email);
void demo_world_close(struct demo_world *world);

/* ---- demo_visitor.c: posts and watches over HTTP, as any client would, on a thread of its own ---- */
struct demo_visitor;
struct demo_visitor *demo_visitor_start(struct cli *cli, struct demo_world *world, uint16_t port, bool script);
/* Joins the thread. With a script, it says whether each step really happened. */
bool demo_visitor_end(struct demo_visitor *visitor);

#endif
