/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Test builds that find a lesser kernel: with -DTEST_FEATURES_OFF=tcx the feature "tcx" is probed for
 * in vain. A probe asks feature_is_off() first, and that is all there is to add for one more; the
 * features that are tested stand in tests/tests.mk and tests/lesser/run. In the shipped program none
 * is off.
 */
#ifndef UTIL_TEST_FEATURES_H
#define UTIL_TEST_FEATURES_H

#include <stdbool.h>
#include <string.h>

#ifdef TEST_FEATURES_OFF
#define LESSER_STRING_(text)	#text
#define LESSER_STRING(text)	LESSER_STRING_(text)
#define feature_is_off(feature) (strcmp(feature, LESSER_STRING(TEST_FEATURES_OFF)) == 0)
#else
#define feature_is_off(feature) false
#endif

#endif
