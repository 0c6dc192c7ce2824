/* The handlers that the route table names; each is described in the file that
 * holds it.
 */
#ifndef SPARSED_API_HANDLERS_H
#define SPARSED_API_HANDLERS_H

#include "api/call.h"

api_handler infer_handle;  /* infer.c: encode, pool, ..., infer */
api_handler decode_handle; /* infer.c */
api_handler models_list;   /* models.c */
api_handler models_show;   /* models.c */
api_handler versions_list; /* models.c */
api_handler atoms_show;    /* pictures.c */
api_handler units_show;    /* units.c */
api_handler health_live;   /* health.c */
api_handler health_ready;  /* health.c */
api_handler assets_index;  /* assets.c */
api_handler assets_file;   /* assets.c */

#endif
