/* The handlers that the route table names; each is described in the file that
 * holds it.
 */
#ifndef SPARSED_API_HANDLERS_H
#define SPARSED_API_HANDLERS_H

#include "api/call.h"

api_handler infer_handle;   /* infer.c: encode, pool, ..., infer */
api_handler decode_handle;  /* infer.c */
api_handler predict_handle; /* predict.c */
api_handler models_list;    /* models.c */
api_handler models_show;    /* models.c */
api_handler atoms_show;     /* pictures.c */
api_handler units_show;     /* units.c */
api_handler health_live;    /* health.c */
api_handler health_ready;   /* health.c */
api_handler metrics_show;   /* metrics/metrics.c */
api_handler assets_index;   /* assets.c */
api_handler assets_file;    /* assets.c */

api_handler oip_server;      /* oip/metadata.c */
api_handler oip_models;      /* oip/metadata.c */
api_handler oip_model;       /* oip/metadata.c */
api_handler oip_config;      /* oip/metadata.c */
api_handler oip_live;        /* oip/health.c */
api_handler oip_ready;       /* oip/health.c */
api_handler oip_model_ready; /* oip/health.c */
api_handler oip_infer;       /* oip/infer.c */

api_handler versions_list;     /* versions.c */
api_handler versions_activate; /* versions.c */
api_handler samples_post;      /* samples.c */
api_handler samples_list;      /* samples.c */
api_handler samples_remove;    /* samples.c */
api_handler labels_put;        /* labels.c */
api_handler fine_tunes_start;  /* fine_tunes.c */
api_handler fine_tunes_list;   /* fine_tunes.c */
api_handler fine_tunes_show;   /* fine_tunes.c */
api_handler fine_tunes_cancel; /* fine_tunes.c */
api_handler events_open;       /* events.c */

api_handler oip_index;      /* oip/repository.c */
api_handler oip_load;       /* oip/repository.c */
api_handler oip_unload;     /* oip/repository.c */
api_handler oip_statistics; /* oip/statistics.c */

#endif
