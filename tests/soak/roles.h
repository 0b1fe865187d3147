/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_SOAK_ROLES_H
#define AIOEVT_SOAK_ROLES_H

/* Each runs until it is told to end, or killed, and returns its process's status. */
int run_emitter(void);		/* emit.c */
int run_visitor(void);
int run_side(void);
int run_churner(void);		/* churn.c */
int run_grower(void);
int run_lister(void);
int run_auditor(void);		/* read.c */
int run_lossy(void);
int run_reliable(void);
int run_pattern(void);		/* watch.c */

#endif
