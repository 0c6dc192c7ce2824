/* A judge: one forward pass, kept until the test is over.
 */
#include "tests/api/judge.h"

#include <check.h>
#include <string.h>

const float judge_inputs[12] = {0.5f, 0.25f, 0, 1,    0.125f, 0.75f,
                                1,    0,     0, 0.5f, 0.5f,   0.25f};

void judge_open(struct judge *j, struct client *c)
{
    memset(j, 0, sizeof *j);
    j->client = c;
    client_open(c);
}

void judge_close(struct judge *j)
{
    if (j->served != NULL) {
        registry_release(j->client->api.registry, j->served);
        arena_fini(&j->memory);
    }
    client_close(j->client);
}

void judge_ask(struct judge *j, const char *model, size_t B, size_t steps)
{
    struct err e = {0};
    struct model_options o = {.steps = steps, .trace = true};

    j->served = registry_acquire(j->client->api.registry, model, 0, &e);
    ck_assert_ptr_nonnull(j->served);
    j->m = j->served->model;
    j->layer = j->m->n_layers - 1;
    arena_init(&j->memory, (size_t)1 << 24);
    ck_assert_int_eq(
        model_encode(j->m, &j->pass, judge_inputs, B, &o, &j->memory, &e),
        ERR_OK);
    ck_assert_int_eq(model_pool(j->m, &j->pass, j->layer, &j->memory, &e),
                     ERR_OK);
    if (!j->m->classifier.present)
        return;
    ck_assert_int_eq(model_classify(j->m, &j->pass, &j->memory, &e), ERR_OK);
    ck_assert_int_eq(model_reconstruct(j->m, &j->pass, j->layer,
                                       j->reconstruction, j->relative_error,
                                       &j->memory, &e),
                     ERR_OK);
}

const float *judge_code(const struct judge *j, size_t row)
{
    return j->pass.layers[j->layer].z +
           row * layer_units(&j->m->layers[j->layer]);
}
