package org.edgefacenet.core

import java.io.File
import java.io.IOException

/**
 * What Linux and Android say about a machine in `/proc` and `/sys`. A phone hides some of it from apps: what cannot be read is
 * null, never a guess.
 */
internal object ProcFiles {
    fun text(path: String): String? = try {
        File(path).readText().trim().ifEmpty { null }
    } catch (_: IOException) {
        null
    }

    /** Processor time of this process, all threads; the kernel counts it in steps of 10 ms. 0 where nothing can be read. */
    fun cpuNanoseconds(): Long {
        val fields = text("/proc/self/stat")?.substringAfterLast(')')?.trim()?.split(' ') ?: return 0
        val ticks = (fields.getOrNull(11)?.toLongOrNull() ?: 0) + (fields.getOrNull(12)?.toLongOrNull() ?: 0)
        return ticks * 10_000_000
    }

    fun installedMemory(): Long? =
        text("/proc/meminfo")?.let { Regex("(?m)^MemTotal:\\s+(\\d+) kB").find(it) }?.groupValues?.get(1)?.toLong()?.times(1024)

    fun loadAverage(): Double? = text("/proc/loadavg")?.substringBefore(' ')?.toDoubleOrNull()

    /** Hottest sensor, degrees Celsius. */
    fun temperature(): Double? = children("/sys/class/thermal", "thermal_zone").mapNotNull { text("$it/temp")?.toDoubleOrNull() }
        .map { it / 1000 }.filter { it in 0.0..150.0 }.maxOrNull()?.let { Math.rint(it * 10) / 10 }

    /** Mean clock of the processors, MHz. */
    fun megahertz(): Double? = cores().mapNotNull { text("$it/cpufreq/scaling_cur_freq")?.toDoubleOrNull() }
        .let { if (it.isEmpty()) null else Math.rint(it.average() / 1000) }

    fun governor(): String = text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") ?: "unknown"

    private fun cores() = children("/sys/devices/system/cpu", "cpu").filter { it.substringAfterLast("cpu").toIntOrNull() != null }

    private fun children(folder: String, prefix: String): List<String> =
        File(folder).list().orEmpty().filter { it.startsWith(prefix) }.sorted().map { "$folder/$it" }
}
