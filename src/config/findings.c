/* config/findings.c - findings as text; see config.h. */
#include "base/json.h"
#include "config/config.h"

static const char *finding_word(const struct finding *finding) {
    return finding->warning ? "warning" : "error";
}

struct str findings_text(struct arena *arena, const struct findings *findings) {
    struct buf text = {.arena = arena};
    for (const struct finding *finding = findings->first; finding; finding = finding->next)
        buf_fmt(&text, "%.*s:%u:%u: %s %s: %.*s\n", STR_ARG(finding->file), finding->mark.line, finding->mark.column,
                finding_word(finding), finding->code, STR_ARG(finding->text));
    if (findings->errors + findings->warnings > FINDINGS_MAX)
        buf_fmt(&text, "and %zu more\n", findings->errors + findings->warnings - FINDINGS_MAX);
    return buf_str(&text);
}

struct str findings_json(struct arena *arena, const struct findings *findings) {
    struct json *list = json_array();
    for (const struct finding *finding = findings->first; finding; finding = finding->next) {
        struct json *item = json_object();
        json_set_str(item, "level", str_from(finding_word(finding)));
        json_set_str(item, "code", str_from(finding->code));
        json_set_str(item, "file", finding->file);
        json_set_int(item, "line", finding->mark.line);
        json_set_int(item, "column", finding->mark.column);
        json_set_str(item, "text", finding->text);
        json_push(list, item);
    }
    struct str text = json_dump(arena, list);
    json_free(list);
    return text;
}
