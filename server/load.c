/* Load: find the file, then read it.
 */
#include "server/load.h"

#include "lib/model/model_file.h"

#include <stdint.h>

struct model *load_model(const char *argument, char *out, size_t size,
                         struct err *e)
{
    if (model_find_file(out, size, argument, e) != ERR_OK)
        return NULL;
    return model_load(out, e);
}

enum err_code load_layer(const struct model *m, size_t *layer, struct err *e)
{
    if (*layer == SIZE_MAX)
        *layer = m->n_layers - 1;
    if (*layer >= m->n_layers)
        return err_set(e, ERR_INVALID,
                       "--layer: the model has layers 0 to %zu, not %zu",
                       m->n_layers - 1, *layer);
    return ERR_OK;
}
