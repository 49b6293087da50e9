// SPDX-License-Identifier: Apache-2.0

package compat

// Version is the MQVersion ordinal that we report: V5_5_0.
const Version = 513

// VersionName returns the MQVersion name of ordinal v.
func VersionName(v int32) string { panic("unwritten") }
