/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_CLEANUP_H
#define AIOEVT_CLEANUP_H

/* Call @fn with a pointer to the variable when it goes out of scope. */
#ifndef _cleanup_
#define _cleanup_(fn) __attribute__((__cleanup__(fn)))
#endif

#endif
