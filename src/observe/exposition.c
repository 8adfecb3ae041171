/* observe/exposition.c - both forms are written side by side; see exposition.h. */
#include "observe/exposition.h"

#include <stdio.h>
#include <string.h>

#include "base/when.h"

#define TOTAL "_total"

enum exposition_form { FORM_PLAIN, FORM_OPEN, FORMS };

struct exposition_writer {
    struct gauge_sink sink; /* first: a sink is a writer */
    struct buf forms[FORMS];
    const struct gauge *gauge;
    struct str first_label, second_label;
    bool begun; /* the head is there: a room that cannot tell writes nothing at all */
};

/* OpenMetrics names a family of counters without the ending that its samples have. */
static void write_head(struct exposition_writer *writer) {
    const struct gauge *gauge = writer->gauge;
    if (writer->begun) return;
    writer->begun = true;
    for (int i = 0; i < FORMS; i++) {
        struct str family = str_from(gauge->name);
        if (i == FORM_OPEN && strcmp(gauge->type, "counter") == 0) family.n -= sizeof TOTAL - 1;
        buf_fmt(&writer->forms[i], "# HELP %.*s %s\n# TYPE %.*s %s\n", STR_ARG(family), gauge->help, STR_ARG(family),
                gauge->type);
    }
}

/* In a label's value backslash, quote and line end are escaped. */
static void write_label(struct buf *buf, struct str name, struct str value) {
    buf_fmt(buf, "%.*s=\"", STR_ARG(name));
    for (size_t i = 0; i < value.n; i++)
        if (value.p[i] == '\n')
            buf_add(buf, STR("\\n"));
        else {
            if (value.p[i] == '\\' || value.p[i] == '"') buf_byte(buf, '\\');
            buf_byte(buf, value.p[i]);
        }
    buf_byte(buf, '"');
}

static void put_pair(struct gauge_sink *sink, struct str first, struct str second, double value) {
    struct exposition_writer *writer = (struct exposition_writer *)sink;
    write_head(writer);
    struct buf *buf = &writer->forms[FORM_PLAIN];
    size_t before = buf->n;
    buf_add(buf, str_from(writer->gauge->name));
    if (writer->first_label.n) {
        buf_byte(buf, '{');
        write_label(buf, writer->first_label, first);
        if (writer->second_label.n) buf_byte(buf, ',');
        if (writer->second_label.n) write_label(buf, writer->second_label, second);
        buf_byte(buf, '}');
    }
    buf_fmt(buf, " %.15g\n", value);
    struct str line = str_sub(buf_str(buf), before, SIZE_MAX);
    buf_add(&writer->forms[FORM_OPEN], line);
}

static void put(struct gauge_sink *sink, struct str label, double value) {
    put_pair(sink, label, STR_NONE, value);
}

static void write_bucket(struct exposition_writer *writer, const char *bound, uint64_t below,
                         const struct gauge_example *example) {
    for (int i = 0; i < FORMS; i++) {
        buf_fmt(&writer->forms[i], "%s_bucket{le=\"%s\"} %llu", writer->gauge->name, bound, (unsigned long long)below);
        if (i == FORM_OPEN && *example->trace)
            buf_fmt(&writer->forms[i], " # {trace_id=\"%s\"} %.9g %.6f", example->trace, example->value,
                    (double)example->wall_us / US_PER_S);
        buf_byte(&writer->forms[i], '\n');
    }
}

static void put_times(struct gauge_sink *sink, const struct gauge_histogram *histogram) {
    struct exposition_writer *writer = (struct exposition_writer *)sink;
    uint64_t below = 0;
    char bound[32];
    write_head(writer);
    for (size_t i = 0; i < histogram->bound_count; i++) {
        below += histogram->buckets[i];
        snprintf(bound, sizeof bound, "%g", histogram->bounds[i]);
        write_bucket(writer, bound, below, &histogram->examples[i]);
    }
    write_bucket(writer, "+Inf", histogram->count, &histogram->examples[histogram->bound_count]);
    for (int i = 0; i < FORMS; i++)
        buf_fmt(&writer->forms[i], "%s_sum %.15g\n%s_count %llu\n", writer->gauge->name, histogram->sum,
                writer->gauge->name, (unsigned long long)histogram->count);
}

struct exposition exposition_write(const struct gauge_set *sets, size_t count, int64_t now_us, struct arena *arena) {
    struct exposition_writer writer = {.sink = {now_us, put, put_pair, put_times},
                                       .forms = {{.arena = arena}, {.arena = arena}}};
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < sets[i].count; j++) {
            writer.gauge = &sets[i].gauges[j];
            writer.begun = false;
            struct str labels = str_from(writer.gauge->label);
            writer.first_label = writer.second_label = STR_NONE;
            if (labels.n) (void)str_next(&labels, ' ', &writer.first_label);
            if (labels.n) (void)str_next(&labels, ' ', &writer.second_label);
            writer.gauge->read(sets[i].self, &writer.sink);
        }
    return (struct exposition){buf_str(&writer.forms[FORM_PLAIN]), buf_str(&writer.forms[FORM_OPEN])};
}
