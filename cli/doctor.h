/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_DOCTOR_H
#define AIOEVT_DOCTOR_H

#include "aioevt-shm.h"

/* alive or dead */
const char *doctor_port_state(const struct aioevt_shm_port_look *port);

/* One object on one line. Returns 0 or -ENOMEM; ferror() tells about stdout. */
int doctor_print_json(const struct aioevt_shm_inspection *seen);

#endif
