/* Connector documents that are wrong: what is said, and where. Then what small good ones mean. */
#include "kit_connector.h"

static struct kit *kit;

static int setup(void **state) {
    (void)state;
    kit = kit_new();
    kit->destination.name = STR("shop");
    kit->destination.type = STR("shop");
    kit->destination.url = STR_NONE;
    kit->delivery.action = STR("send");
    kit->delivery.params = STR("{\"text\":\"t\"}");
    return 0;
}

static int teardown(void **state) {
    (void)state;
    kit_free(kit);
    return 0;
}

/* ---- bad documents ---- */

#define HEAD "version: 1\nname: shop\nfields: {token: {secret: true}}\n"
/* An action in one line, the fifth. */
#define SEND HEAD "actions:\n  send: {params: {text: required}, request: {url: \"https://a.example/x\"}, "
#define URL  HEAD "actions:\n  send:\n    params: {text: required}\n    request:\n      url: "

struct bad {
    const char *text, *finding; /* "line:column code begin of the text" */
};

static const struct bad documents[] = {
    {"version: 1\nname: shop\nlimit: 1/s\nactions: {send: {request: {url: \"https://a.example\"}}}",
     "3:1 E0331 unknown key 'limit' in the connector; did you mean 'limits'?"},
    {"version: 1\nname: shop\nextra: 1\nactions: {send: {request: {url: \"https://a.example\"}}}",
     "3:1 E0331 unknown key 'extra' in the connector"},
    {"- a\n- b", "1:1 E0330 the connector must be a map of keys"},
    {"version: 1\nactions: {send: {request: {url: \"https://a.example\"}}}",
     "1:1 E0332 'name' is missing in the connector"},
    {"version: 1\nname: shop", "1:1 E0332 'actions' is missing in the connector"},
    {"version: 2\nname: shop\nactions: {send: {request: {url: \"https://a.example\"}}}",
     "1:10 E0333 '2' is no version of the language; it is 1"},
    {"version: 1\nname: Shop_1\nactions: {send: {request: {url: \"https://a.example\"}}}",
     "2:7 E0335 'Shop_1' is no name"},
    {"version: 1\nname: http\nactions: {send: {request: {url: \"https://a.example\"}}}",
     "2:7 E0335 'http' is built in"},
    {"version: 1\nname: shop\nchecked: yesterday\nactions: {send: {request: {url: \"https://a.example\"}}}",
     "3:10 E0333 'yesterday' is no date"},
    {"version: 1\nname: shop\nactions: {}", "3:10 E0339 a connector has 1 to 64 actions"},
    {"version: 1\nname: shop\nactions: {Send it: {request: {url: \"https://a.example\"}}}",
     "3:11 E0335 'Send it' is no name for an action"},
    {"version: 1\nname: shop\nactions: {send: {}}", "3:17 E0332 action 'send' has neither 'request' nor 'batch'"},
    {"version: 1\nname: shop\nactions: {send: text}", "3:17 E0330 action 'send' must be a map of keys"},
    /* fields and parameters */
    {"version: 1\nname: shop\nfields: {timeout: {}}\nactions: {send: {request: {url: \"https://a.example\"}}}",
     "3:10 E0335 a field cannot be called 'timeout'"},
    {"version: 1\nname: shop\nfields: {a: {secrt: true}}\nactions: {send: {request: {url: \"https://a.example\"}}}",
     "3:14 E0331 unknown key 'secrt' in field 'a'; did you mean 'secret'?"},
    {"version: 1\nname: shop\nfields: {a: {secret: yes}}\nactions: {send: {request: {url: \"https://a.example\"}}}",
     "3:22 E0333 'yes' is not one of false, true"},
    {"version: 1\nname: shop\nfields: {a: {required: true, default: x}}\nactions: {send: {request: {url: "
     "\"https://a.example\"}}}",
     "3:13 E0336 field 'a' has a default"},
    {"version: 1\nname: shop\nactions: {send: {params: {when: required}, request: {url: \"https://a.example\"}}}",
     "3:27 E0335 a parameter cannot be called 'when'"},
    {"version: 1\nname: shop\nactions: {send: {params: {text: needed}, request: {url: \"https://a.example\"}}}",
     "3:33 E0333 'needed' is not one of optional, required"},
    {"version: 1\nname: shop\nactions: {send: {params: {a: {needs: b}}, request: {url: \"https://a.example\"}}}",
     "3:38 E0334 there is no parameter 'b'"},
    {"version: 1\nname: shop\nactions: {send: {params: {a: optional}, any_of: [a], request: {url: "
     "\"https://a.example\"}}}",
     "3:49 E0333 'any_of' takes a list of two parameters or more, or several such lists"},
    {"version: 1\nname: shop\nactions: {send: {params: {a: optional}, any_of: [a, b], request: {url: "
     "\"https://a.example\"}}}",
     "3:53 E0334 there is no parameter 'b'"},
    {"version: 1\nname: shop\nactions: {send: {params: {Text: required}, request: {url: \"https://a.example\"}}}",
     "3:27 E0335 'Text' is no name for a parameter"},
    {"version: 1\nname: shop\nactions: {send: {params: {a: {type: mail}}, request: {url: \"https://a.example\"}}}",
     "3:37 E0333 'mail' is not one of any, text, line, address, mailbox, mailboxes, mailbox_list, url, number, "
     "truth, list, object, headers, "
     "instant"},
    {"version: 1\nname: shop\nactions: {send: {params: {a: {type: list, default: 1}}, request: {url: "
     "\"https://a.example\"}}}",
     "3:52 E0333 the default of parameter 'a' must be a list"},
    {"version: 1\nname: shop\nactions: {send: {params: {a: {required: true, default: 1}}, request: {url: "
     "\"https://a.example\"}}}",
     "3:30 E0336 parameter 'a' has a default"},
    /* authorisation, headers, limits */
    {HEAD "auth: {bearer: x, query: {a: b}}\nactions: {send: {request: {url: \"https://a.example\"}}}",
     "4:7 E0336 'auth' has one of"},
    {HEAD "auth: {basic: {user: u}}\nactions: {send: {request: {url: \"https://a.example\"}}}",
     "4:15 E0332 'password' is missing in 'basic'"},
    {HEAD "auth: {aws: {key: k, secret: s, region: r}}\nactions: {send: {request: {url: \"https://a.example\"}}}",
     "4:13 E0332 'service' is missing in 'aws'"},
    {HEAD "auth: {oauth1: {key: k}}\nactions: {send: {request: {url: \"https://a.example\"}}}",
     "4:16 E0332 'consumer_key' is missing in 'oauth1'"},
    {HEAD "auth: {bearer: \"${.text}\"}\nactions: {send: {request: {url: \"https://a.example\"}}}",
     "4:16 E0334 '.text' cannot be referred to at this place"},
    {HEAD "auth: {bearer: \"${field.tokn}\"}\nactions: {send: {request: {url: \"https://a.example\"}}}",
     "4:16 E0334 there is no field 'tokn'; did you mean 'token'?"},
    {HEAD "headers: {\"a b\": x}\nactions: {send: {request: {url: \"https://a.example\"}}}",
     "4:11 E0335 'a b' is no name of a header"},
    {HEAD "limits: [10/s, ten]\nactions: {send: {request: {url: \"https://a.example\"}}}",
     "4:16 E0333 'ten' is no limit such as 10/s"},
    {HEAD "limits: 10\nactions: {send: {request: {url: \"https://a.example\"}}}", "4:9 E0333 '10' is no limit"},
    {HEAD "limits: 0/s\nactions: {send: {request: {url: \"https://a.example\"}}}", "4:9 E0333 '0/s' is no limit"},
    {HEAD "limits: 1/s per text x\nactions: {send: {request: {url: \"https://a.example\"}}}",
     "4:9 E0333 '1/s per text x' is no limit"},
    {HEAD
     "limits: [1/s per a, 1/m per b]\nactions: {send: {params: {a: required}, request: {url: \"https://a.example\"}}}",
     "4:21 E0336 limits are per 'a' or per 'b', not both"},
    {HEAD "limits: 1/s per a\nactions: {send: {request: {url: \"https://a.example\"}}}",
     "4:9 E0335 no action has a parameter 'a' of which each value could have a limit"},
    {HEAD "limits: 1/s per a\nactions: {send: {params: {a: {type: list}}, request: {url: \"https://a.example\"}}}",
     "4:9 E0335 no action has a parameter 'a' of which"},
    {HEAD "concurrency: many\nactions: {send: {request: {url: \"https://a.example\"}}}",
     "4:14 E0333 'many' is not a whole number from 1 to 256"},
    {HEAD "answer_max: 2MiB\nactions: {send: {request: {url: \"https://a.example\"}}}",
     "4:13 E0333 '2MiB' is not a size from 64KiB to 1024KiB"},
    {HEAD "answer_max: 70000\nactions: {send: {request: {url: \"https://a.example\"}}}",
     "4:13 E0333 '70000' is not a size from 64KiB to 1024KiB"},
    {HEAD "penalty: {after: 429, wait: 30}\nactions: {send: {request: {url: \"https://a.example\"}}}",
     "4:29 E0333 '30' is not a length of time from 1s to 1d"},
    {HEAD "penalty: {after: 999, wait: 30s}\nactions: {send: {request: {url: \"https://a.example\"}}}",
     "4:18 E0333 '999' is no status"},
    {HEAD "limits_from: {remaining: X-Left}\nactions: {send: {request: {url: \"https://a.example\"}}}",
     "4:14 E0336 'limits_from' names either 'structured' or a 'reset'"},
    {HEAD "limits_from: {reset: X-R, unit: minutes}\nactions: {send: {request: {url: \"https://a.example\"}}}",
     "4:33 E0333 'minutes' is not one of auto, epoch_s, epoch_ms, seconds, milliseconds, date"},
    {HEAD "error: \".message[\"\nactions: {send: {request: {url: \"https://a.example\"}}}", "4:8 E0420 in 'error': "},
    /* requests */
    {URL "ftp://a.example/", "8:12 E0337 a URL begins with"},
    {URL "\"${.text}/x\"", "8:12 E0337 a URL begins with"},
    {URL "\"https://${.text}.example/x\"", "8:12 E0337 values of a delivery may stand behind the host only"},
    {URL "\"https://a.example${.text}\"", "8:12 E0337 values of a delivery may stand behind the host only"},
    {URL "\"${field.token}${.text}\"", "8:12 E0337 values of a delivery may stand behind the host only"},
    {URL "\"https://${field.token | lower}.example/\"", "8:12 E0337 a field in the host has no transforms"},
    {URL "\"https://a.example/a b\"", "8:12 E0337 a URL holds no blanks"},
    {URL "\"https://a.example/${.txt}\"", "8:12 E0334 there is no parameter 'txt'; did you mean 'text'?"},
    {URL "\"https://a.example/${.text\"", "8:12 E0334 '${.text' begins a reference that no '}' ends"},
    {URL "\"https://a.example/${}\"", "8:12 E0334 '${}' refers to nothing"},
    {URL "\"https://a.example/${TOKEN}\"", "8:12 E0334 'TOKEN' is nothing that can be referred to"},
    {URL "\"https://a.example/${event.payload}\"", "8:12 E0334 'event.payload' is nothing that can be referred to"},
    {URL "\"https://a.example/${items}\"", "8:12 E0334 'items' cannot be referred to at this place"},
    {URL "\"https://a.example/${delivery.sent_at}\"", "8:12 E0334 'delivery.sent_at' cannot be referred to"},
    {URL "\"https://a.example/${.text | upper}\"", "8:12 E0334 'upper' is no transform"},
    {URL "\"https://a.example/${.text | first}\"", "8:12 E0334 'first' needs its argument"},
    {URL "\"https://a.example/${.text | hex 3}\"", "8:12 E0334 'hex 3' needs its argument"},
    {URL "\"https://a.example/${delivery.id | unix}\"", "8:12 E0334 'unix' cannot be given what stands before it"},
    {URL "\"https://a.example/${.text | hex | hex | hex | hex | hex}\"", "8:12 E0334 'hex' is one transform too many"},
    {URL "\"https://a.example/${.text.}\"", "8:12 E0334 '.text.' is not a name"},
    {URL "https://a.example/\n      json: {a: 1}\n      text: b", "8:7 E0336 a request has one body"},
    {URL "https://a.example/\n      method: POTS",
     "9:15 E0333 'POTS' is not one of GET, POST, PUT, PATCH, DELETE; did you mean"},
    {URL "https://a.example/\n      headers: {X-A: [1]}", "9:22 E0330 'X-A' takes one text"},
    {URL "https://a.example/\n      json: {\"...\": 1}", "9:21 E0330 '...' takes one reference to an object"},
    {URL "https://a.example/\n      body: {a: 1}", "9:7 E0331 unknown key 'body' in 'request'"},
    {URL "https://a.example/\n      json: {a: {\"?\": x}}", "9:23 E0330 '?' takes one reference: \"${.name}\""},
    {URL "https://a.example/\n      json: {\"${.txt}\": 1}",
     "9:14 E0334 there is no parameter 'txt'; did you mean 'text'?"},
    {URL "https://a.example/\n      query: {a: [b, [c]]}", "9:22 E0330 'a' takes one text"},
    {URL "https://a.example/\n      query: {a: {b: c}}", "9:18 E0330 'a' takes one text"},
    {URL "\"https://a.example/${.text | md5 | base32 | sha256 | trim | lower}\"",
     "8:12 E0334 'lower' is one transform too many"},
    {URL "\"https://a.example/${event.id | md5}\"", "8:12 E0334 'md5' cannot be given what stands before it"},
    /* answers */
    {SEND "answers: [{status: 200}]}", "5:85 E0332 'is' is missing in an answer"},
    {SEND "answers: [{status: 2x, is: done}]}", "5:94 E0333 '2x' is no status"},
    {SEND "answers: [{status: [], is: done}]}", "5:94 E0333 the list of statuses is empty"},
    {SEND "answers: [{is: don}]}", "5:90 E0333 'don' is not one of done, already"},
    {SEND "answers: [{is: found}]}", "5:90 E0333 'found' is not one of"},
    {SEND "answers: [{is: items}]}", "5:90 E0333 'items' is not one of"},
    {SEND "answers: [{when: '.a ==', is: done, wen: x}]}", "5:111 E0331 unknown key 'wen' in an answer"},
    {SEND "answers: [{when: '.a) | (.b', is: done}]}", "5:92 E0420 in 'when': unexpected ')'"},
    {SEND "answers: [{when: '', is: done}]}", "5:92 E0420 in 'when': the expression is empty"},
    {SEND "answers: {status: 200}}", "5:84 E0330 'answers' in action 'send' takes a list"},
    {SEND "answers: []}", "5:84 E0339 'answers' has 1 to 24 rules"},
    /* unknown outcomes */
    {SEND "on_unknown: ask}", "5:87 E0333 'ask' is not one of lookup, retry, hold"},
    {SEND "on_unknown: lookup}", "5:87 E0336 'on_unknown: lookup' needs a 'lookup'"},
    {SEND "on_unknown: retry}", "5:87 E0336 'on_unknown: retry' needs an 'idempotency'"},
    {SEND "idempotency: {header: K}}", "5:88 E0332 'keep' is missing in 'idempotency'"},
    {SEND "idempotency: {keep: 1h}}", "5:88 E0336 'idempotency' has one of"},
    {SEND "idempotency: {header: K, field: /k, keep: 1h}}", "5:88 E0336 'idempotency' has one of"},
    {SEND "idempotency: {header: \"a b\", keep: 1h}}", "5:97 E0335 'a b' is no name of a header"},
    {SEND "idempotency: {field: /k, keep: 1h}}", "5:96 E0333 '/k' is no free place in the json"},
    {SEND "idempotency: {header: K, keep: long}}", "5:106 E0333 'long' is not a length of time from 1s to 365d"},
    {SEND "lookup: {answers: [{is: found}], settle: 1s}}", "5:83 E0332 'request' is missing in 'lookup'"},
    {SEND "lookup: {request: {url: \"https://a.example\"}, answers: [{is: absent}], settle: 1s}}",
     "5:130 E0336 no answer of the lookup is 'found'"},
    {SEND "lookup: {request: {url: \"https://a.example\"}, answers: [{is: found}]}}",
     "5:83 E0332 'settle' is missing in 'lookup'"},
    /* batches */
    {SEND "batch: {max: 2, request: {url: \"https://a.example\", json: {a: \"${items}\"}}}}",
     "5:82 E0332 'item' is missing in 'batch'"},
    {SEND "batch: {max: 2, item: {}, request: {url: \"https://a.example\", json: {a: 1}}}}",
     "5:110 E0336 the batch's json does not hold ${items}"},
    {SEND "batch: {max: 1, item: {}, request: {url: \"https://a.example\", json: \"${items}\"}}}",
     "5:88 E0333 '1' is not a whole number from 2 to 500"},
    {SEND "batch: {max: 2, item: {}, request: {url: \"https://a.example\", json: \"${items}\"}, items: some}}",
     "5:163 E0333 'some' is not one of all"},
    {SEND
     "batch: {max: 2, item: {}, request: {url: \"https://a.example\", json: \"${items}\"}, answers: [{is: items}]}}",
     "5:82 E0336 'is: items' in the answers and a map of 'items' belong together"},
    {SEND "batch: {max: 2, item: {}, request: {url: \"https://a.example/${.text}\", json: \"${items}\"}}}",
     "5:116 E0334 '.text' cannot be referred to at this place"},
    {SEND
     "batch: {max: 2, item: {}, request: {url: \"https://a.example\", json: \"${items}\"}, answers: [{is: items}], "
     "items: {list: ., by: key, answers: [{is: done}]}}}",
     "5:187 E0336 'key' and 'sent' belong to 'by: key', both"},
};

/* "line:column code text" of the first finding. */
static struct str first_finding(void) {
    const struct finding *finding = kit->findings.first;
    if (!finding) return STR("no finding");
    return str_fmt(&kit->arena, "%u:%u %s %.*s", finding->mark.line, finding->mark.column, finding->code,
                   STR_ARG(finding->text));
}

static void bad_documents_are_refused_with_their_place(void **state) {
    (void)state;
    int wrong = 0;
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        kit->findings = (struct findings){.arena = &kit->arena};
        kit_add(kit, STR("shop.yaml"), str_from(documents[i].text));
        struct str text = first_finding();
        if (!str_starts(text, str_from(documents[i].finding))) {
            print_error("%zu: %.*s\n   is not: %s\n", i, STR_ARG(text), documents[i].finding);
            wrong++;
        }
        assert_null(catalog_find(connectors_catalog(kit->connectors), STR("shop")));
    }
    assert_int_equal(wrong, 0);
}

static void every_finding_comes_at_once(void **state) {
    (void)state;
    kit_add(
        kit, STR("shop.yaml"),
        STR(HEAD "limits: x\nconcurrency: y\nactions: {send: {request: {url: \"ftp://a\", bdy: 1}, on_unknown: z}}"));
    assert_int_equal(kit->findings.errors, 5);
    assert_text(kit->findings.first->file, "shop.yaml");
}

/* ---- small good ones ---- */

static void add(const char *text) {
    kit_add(kit, STR("shop.yaml"), str_from(text));
    kit_no_findings(kit);
    kit_set_field(kit, "token", "s3cret");
    kit_bind(kit);
    kit_no_findings(kit);
    if (kit_request(kit)) fail_msg("%.*s", STR_ARG(kit->problem));
}

static void basic_authorisation(void **state) {
    (void)state;
    add(HEAD "auth: {basic: {user: api, password: \"${field.token}\"}}\nactions: {send: {request: {url: "
             "\"https://a.example\"}}}");
    assert_text(kit_header(kit, "Authorization"), "Basic YXBpOnMzY3JldA==");
}

static void a_header_of_authorisation(void **state) {
    (void)state;
    add(HEAD "auth: {header: {X-Token: \"${field.token}\"}}\nactions: {send: {request: {url: \"https://a.example\"}}}");
    assert_text(kit_header(kit, "X-Token"), "s3cret");
}

static void authorisation_in_the_query(void **state) {
    (void)state;
    kit_set_field(kit, "token", "a&b");
    kit_add(
        kit, STR("shop.yaml"),
        STR(HEAD
            "auth: {query: {api_key: \"${field.token}\"}}\nactions: {send: {request: {url: \"https://a.example/x\", "
            "query: {a: 1}}}}"));
    kit_bind(kit);
    assert_int_equal(kit_request(kit), ERR_NONE);
    assert_text(kit->outgoing.url, "https://a.example/x?api_key=a%26b&a=1");
}

static void a_request_without_a_body_has_no_type(void **state) {
    (void)state;
    add(HEAD "actions: {send: {request: {url: \"https://a.example\"}}}");
    assert_text(kit->outgoing.method, "POST");
    assert_int_equal(kit->outgoing.body.n, 0);
    assert_text(kit_header(kit, "Content-Type"), "");
}

static void all_parameters_may_be_the_body(void **state) {
    (void)state;
    add(HEAD "actions: {send: {params: {text: required}, request: {url: \"https://a.example\", json: \"${.}\"}}}");
    assert_text(kit->outgoing.body, "{\"text\":\"t\"}");
}

static void a_body_of_missing_things_is_empty(void **state) {
    (void)state;
    add(HEAD "actions: {send: {params: {a: optional}, request: {url: \"https://a.example\", json: {a: \"${.a}\"}}}}");
    assert_text(kit->outgoing.body, "{}");
    add(HEAD "actions: {send: {params: {a: optional}, request: {url: \"https://a.example\", json: [\"${.a}\"]}}}");
    assert_text(kit->outgoing.body, "[]");
}

/* A secret in the path stays as it is written, as far as a path allows. */
static void a_field_may_stand_in_a_path(void **state) {
    (void)state;
    kit_set_field(kit, "token", "12:Ab-c_d/e");
    kit_add(kit, STR("shop.yaml"),
            STR(HEAD "actions: {send: {request: {url: \"https://a.example/bot${field.token}/send\"}}}"));
    kit_bind(kit);
    assert_int_equal(kit_request(kit), ERR_NONE);
    assert_text(kit->outgoing.url, "https://a.example/bot12:Ab-c_d%2Fe/send");
}

static void a_long_url_is_refused(void **state) {
    (void)state;
    char text[9000] = "{\"text\":\"";
    memset(text + 9, 'x', 8500);
    strcpy(text + 8509, "\"}");
    kit_add(kit, STR("shop.yaml"),
            STR(HEAD "actions: {send: {params: {text: required}, request: {url: \"https://a.example/${.text}\"}}}"));
    kit_bind(kit);
    kit->delivery.params = str_from(text);
    assert_int_equal(kit_request(kit), ERR_BAD_FIELD);
}

static void a_later_document_replaces_an_earlier_one(void **state) {
    (void)state;
    add(HEAD "actions: {send: {request: {url: \"https://old.example\"}}}");
    add(HEAD "actions: {send: {request: {url: \"https://new.example\"}}}");
    assert_text(kit->outgoing.url, "https://new.example");
    assert_int_equal(connectors_catalog(kit->connectors)->count, 2); /* http and shop */
}

/* The first example of the page, as it stands there. */
static void the_pages_example_is_right(void **state) {
    (void)state;
    static char page[KIT_FILE_MAX];
    FILE *file = fopen("docs/connectors.md", "r");
    assert_non_null(file);
    page[fread(page, 1, sizeof page - 1, file)] = 0;
    fclose(file);
    const char *start = strstr(page, "```yaml\n") + strlen("```yaml\n");
    kit->destination.type = STR("shout");
    kit->delivery.action = STR("message");
    kit->delivery.params = STR("{\"room\":\"a b\",\"text\":\"t\"}");
    kit_set_field(kit, "token", "s3cret");
    kit_add(kit, STR("docs/connectors.md"), (struct str){start, (size_t)(strstr(start, "```") - start)});
    kit_bind(kit);
    kit_no_findings(kit);
    assert_int_equal(kit_request(kit), ERR_NONE);
    assert_text(kit->outgoing.url, "https://api.shout.example/rooms/a%20b/messages");
    assert_text(kit->outgoing.body, "{\"text\":\"t\"}");
}

static void jq_that_does_not_compile_is_blamed_on_its_place(void **state) {
    (void)state;
    kit_add(kit, STR("shop.yaml"), STR(SEND "answers: [{when: .a, is: done}, {when: .a == nofunction, is: failed}]}"));
    kit_no_findings(kit);
    connectors_blame(kit->connectors, &kit->findings);
    assert_int_equal(kit->findings.errors, 1);
    assert_begins(first_finding(), "5:114 E0420 ");
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(bad_documents_are_refused_with_their_place),
        CASE(every_finding_comes_at_once),
        CASE(basic_authorisation),
        CASE(a_header_of_authorisation),
        CASE(authorisation_in_the_query),
        CASE(a_request_without_a_body_has_no_type),
        CASE(all_parameters_may_be_the_body),
        CASE(a_body_of_missing_things_is_empty),
        CASE(a_field_may_stand_in_a_path),
        CASE(a_long_url_is_refused),
        CASE(a_later_document_replaces_an_earlier_one),
        CASE(the_pages_example_is_right),
        CASE(jq_that_does_not_compile_is_blamed_on_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
