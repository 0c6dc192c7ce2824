/* Options of a request: one table says the name, type and limits of each; the
 * same rows read them from the JSON object and from the query string.
 *
 * Which options a route takes is a set of bits in its row. An option of
 * another route, an unknown one, a wrong type or a value out of its limits is
 * ERR_SHAPE and named.
 */
#ifndef SPARSED_API_OPTIONS_H
#define SPARSED_API_OPTIONS_H

#include "lib/base/err.h"
#include "lib/base/json.h"

#include <stdbool.h>
#include <stddef.h>

enum option {
    OPTION_TOP = 1 << 0,
    OPTION_FORMAT = 1 << 1,
    OPTION_STEPS = 1 << 2,
    OPTION_TOP_K = 1 << 3,
    OPTION_THRESHOLD = 1 << 4,
    OPTION_EXPLAIN = 1 << 5,
    OPTION_LAYER = 1 << 6,
    OPTION_OUTPUTS = 1 << 7,
    OPTION_MAX_SIDE = 1 << 8,
    OPTION_VIEW = 1 << 9,
    OPTION_KEEP = 1 << 10,
    OPTION_LABEL = 1 << 11,
    OPTION_UNLABELLED = 1 << 12,
    OPTION_BATCH = 1 << 13,
    OPTION_ALL = 1 << 14,
    OPTION_AFTER = 1 << 15,
    OPTION_BEFORE = 1 << 16,
    OPTION_LIMIT = 1 << 17,
    OPTION_INPUTS = 1 << 18,
    OPTION_MODEL = 1 << 19,
    OPTION_EPOCHS = 1 << 20,
    OPTION_LEARNING_RATE = 1 << 21,
    OPTION_PROMOTE = 1 << 22,
    OPTION_SEED = 1 << 23
};

/* The form of codes in JSON. */
enum code_format { CODE_SPARSE, CODE_DENSE };

/* What a reply is made of. The last three come with others, by no name. */
enum output {
    OUTPUT_CODE = 1 << 0,
    OUTPUT_GROUPS = 1 << 1,
    OUTPUT_RECONSTRUCTION = 1 << 2,
    OUTPUT_CLASSES = 1 << 3,
    OUTPUT_TRACE = 1 << 4,
    OUTPUT_SCALES = 1 << 5,
    OUTPUT_ERROR = 1 << 6,
    OUTPUT_EXPLANATION = 1 << 7
};

#define OPTIONS_TOP_LAYER ((size_t)-1)
#define OPTIONS_MAX_TEXT_BYTES 256 /* with the zero */

struct options {
    unsigned given; /* option bits */
    size_t top;
    size_t format; /* enum code_format */
    size_t steps;  /* 0: as trained */
    size_t top_k;  /* 0: all */
    double threshold;
    bool explain;
    size_t layer;     /* or OPTIONS_TOP_LAYER */
    unsigned outputs; /* 0: all that the model can do */
    size_t max_side;  /* 0: the renderer chooses */
    size_t view;      /* enum render_view */
    bool keep;
    /* samples and jobs: */
    char label[OPTIONS_MAX_TEXT_BYTES], model[OPTIONS_MAX_TEXT_BYTES];
    bool unlabelled, all, inputs;
    size_t batch, after, before; /* ids; 0: not given */
    size_t limit;
    /* of a fine-tune; 0: the standard */
    size_t epochs;
    double learning_rate;
    size_t promote; /* enum learner_promote */
    size_t seed;
};

/* The defaults. */
void options_init(struct options *o);

/* Every member of the object but those in `others` (names ending with NULL,
 * which the caller reads) must be one of the `allowed` options. */
enum err_code options_read_json(struct options *o, unsigned allowed,
                                const struct json *object,
                                const char *const *others, struct err *e)
    ERR_CHECKED;

/* The same, but what is no option of ours, or null, is somebody else's. */
enum err_code options_read_some(struct options *o, unsigned allowed,
                                const struct json *object, struct err *e)
    ERR_CHECKED;

/* "top=3&format=dense": raw, without '?'. ERR_INVALID for a bad escape. */
enum err_code options_read_query(struct options *o, unsigned allowed,
                                 const char *query, struct err *e) ERR_CHECKED;

#endif
