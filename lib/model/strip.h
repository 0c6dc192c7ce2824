/* Strip: a model without some of its decoders. What they drew can no longer be
 * drawn; codes, pools and classes are the same, in a smaller file.
 */
#ifndef SPARSED_MODEL_STRIP_H
#define SPARSED_MODEL_STRIP_H

#include "lib/model/model.h"

/* The model in which the layers with drop (n_layers) true have no decoder.
 * Its facts are copied (model_copy_facts); not prepared. NULL: ERR_INVALID if
 * the encoder of such a layer infers through its decoder; ERR_NO_MEMORY. */
struct model *model_drop_decoders(const struct model *m, const bool *drop,
                                  struct err *e);

#endif
