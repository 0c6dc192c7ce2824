/* Watch: what the codes of a block look like, counted in the usage of the
 * version that made them; what drifts when the inputs no longer are those that
 * the model was trained on.
 *
 * Only codes of the top layer as they were trained to be, with all inputs known
 * and as many steps as usual: others would say nothing about the inputs.
 */
#ifndef SPARSED_API_WATCH_H
#define SPARSED_API_WATCH_H

#include "api/run.h"

/* After run_block's computation. Every row's share of active units is counted,
 * and its largest probability and error of reconstruction where the request
 * has had them made. The first row of every api->watch_every-th request is
 * also reconstructed and pooled for this alone, in what the request's arena
 * has left; without enough room it is not. Never fails, and leaves nothing
 * behind. */
void watch_block(struct run *r);

#endif
