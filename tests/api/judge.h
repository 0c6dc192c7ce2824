/* A judge of the inference routes: the model itself, run beside the API on
 * the same inputs, in memory of its own.
 */
#ifndef SPARSED_TESTS_JUDGE_H
#define SPARSED_TESTS_JUDGE_H

#include "tests/api/client.h"

/* Two inputs of the client's model "small", as numbers and as JSON. */
#define SMALL "/v1/models/small/"
#define X1 "[0.5,0.25,0,1,0.125,0.75]"
#define X2 "[1,0,0,0.5,0.5,0.25]"
#define INPUTS "\"inputs\":[" X1 "," X2 "]"
#define ONE "{\"inputs\":[" X1 "]}"
#define TWO "{" INPUTS "}"

extern const float judge_inputs[12];

/* What the model gives. */
struct judge {
    struct client *client;
    const struct served *served; /* NULL before it was asked */
    const struct model *m;
    struct arena memory;
    struct pass pass;
    size_t layer; /* the top one */
    float reconstruction[24], relative_error[2];
};

/* Opens and closes the client too. */
void judge_open(struct judge *j, struct client *c);
void judge_close(struct judge *j);

/* Runs the first B inputs through the model, all that it can do; once a
 * test. */
void judge_ask(struct judge *j, const char *model, size_t B, size_t steps);

/* The code that it found for a row. */
const float *judge_code(const struct judge *j, size_t row);

#endif
