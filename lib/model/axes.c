/* The three axes and what goes together. */
#include "lib/model/axes.h"

#include <stdio.h>
#include <string.h>

extern const struct operator_kind operator_dense, operator_conv2d,
    operator_local2d;
extern const struct encoder_kind encoder_feedforward, encoder_recurrent,
    encoder_iterative;
extern const struct structure_kind structure_l1, structure_groups,
    structure_tree, structure_lateral, structure_gaussian;

const struct operator_kind *const operators[] = {
    &operator_dense, &operator_conv2d, &operator_local2d, NULL};
const struct encoder_kind *const encoders[] = {
    &encoder_feedforward, &encoder_recurrent, &encoder_iterative, NULL};
const struct structure_kind *const structures[] = {
    &structure_l1,      &structure_groups,   &structure_tree,
    &structure_lateral, &structure_gaussian, NULL};

static const struct operator_kind *test_operator;
static const struct encoder_kind *test_encoder;
static const struct structure_kind *test_structure;

void axes_add_test_values(const struct operator_kind *op,
                          const struct encoder_kind *encoder,
                          const struct structure_kind *structure)
{
    test_operator = op;
    test_encoder = encoder;
    test_structure = structure;
}

/* Every kind's first member is its name, so one search serves all axes. */
static const void *find(const void *const *list, const void *test_value,
                        const char *name, const char *axis, struct err *e)
{
    char known[128] = "";
    if (test_value && strcmp(*(const char *const *)test_value, name) == 0)
        return test_value;
    for (size_t i = 0; list[i]; i++) {
        const char *have = *(const char *const *)list[i];
        if (strcmp(have, name) == 0)
            return list[i];
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "",
                 have);
    }
    err_set(e, ERR_INVALID, "there is no %s \"%s\"; there are: %s", axis, name,
            known);
    return NULL;
}

const struct operator_kind *operator_find(const char *name, struct err *e)
{
    return find((const void *const *)operators, test_operator, name, "operator",
                e);
}

const struct encoder_kind *encoder_find(const char *name, struct err *e)
{
    return find((const void *const *)encoders, test_encoder, name, "encoder",
                e);
}

const struct structure_kind *structure_find(const char *name, struct err *e)
{
    return find((const void *const *)structures, test_structure, name,
                "structure", e);
}

enum err_code axes_compatible(const struct operator_kind *op,
                              const struct encoder_kind *encoder,
                              const struct structure_kind *structure,
                              bool decoder, struct err *e)
{
    if (encoder->decodes && !decoder)
        return err_set(e, ERR_INVALID,
                       "encoder \"%s\" infers through the decoder: "
                       "\"decoder\" must not be false",
                       encoder->name);
    if (encoder->recurrent && !op->start_residual)
        return err_set(e, ERR_INVALID,
                       "encoder \"%s\" needs a map from code to code, which "
                       "operator \"%s\" does not give",
                       encoder->name, op->name);
    if (structure->heads > 1 && (encoder->recurrent || encoder->decodes))
        return err_set(e, ERR_INVALID,
                       "structure \"%s\" wants %zu numbers a unit, which "
                       "encoder \"%s\" does not give",
                       structure->name, structure->heads, encoder->name);
    if (encoder->decodes && !structure->prox && structure->threshold &&
        !op->columns)
        return err_set(e, ERR_INVALID,
                       "encoder \"%s\" goes unit by unit with structure "
                       "\"%s\", and operator \"%s\" does not give the atom "
                       "of one unit",
                       encoder->name, structure->name, op->name);
    if (encoder->decodes && !structure->prox && !structure->threshold)
        return err_set(e, ERR_INVALID,
                       "encoder \"%s\" needs a proximal step or a threshold, "
                       "which structure \"%s\" does not give",
                       encoder->name, structure->name);
    return ERR_OK;
}
