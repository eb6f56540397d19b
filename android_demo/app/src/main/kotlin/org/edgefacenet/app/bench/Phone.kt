package org.edgefacenet.app.bench

import android.content.Context
import android.os.BatteryManager
import android.os.Build
import android.os.PowerManager
import org.edgefacenet.core.MachineInfo

/** What a record says of the phone; in English, as records are. */
class Phone(private val context: Context) {
    fun machine(): MachineInfo = MachineInfo(
        cpu = cpu(),
        architecture = Build.SUPPORTED_ABIS.firstOrNull() ?: "unknown",
        system = "Android ${Build.VERSION.RELEASE} (API ${Build.VERSION.SDK_INT})",
        packages = mapOf("edge-facenet-android" to version(), "kotlin" to KotlinVersion.CURRENT.toString()),
    )

    /** What spoils figures, or goes with them. */
    fun trouble(): Trouble {
        val power = checkNotNull(context.getSystemService(PowerManager::class.java))
        val faults = ArrayList<String>()
        if (power.isPowerSaveMode) faults += "battery saver was on: switch it off and measure again"
        val heat = if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q) power.currentThermalStatus else PowerManager.THERMAL_STATUS_NONE
        if (heat >= PowerManager.THERMAL_STATUS_MODERATE) faults += "the phone was hot and throttled (thermal status $heat of 6): let it cool and measure again"
        val charging = context.getSystemService(BatteryManager::class.java)?.isCharging ?: return Trouble(faults)
        return Trouble(faults, listOf(if (charging) "on a charger" else "on battery"))
    }

    private fun cpu(): String {
        val chip = if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.S) "${Build.SOC_MANUFACTURER} ${Build.SOC_MODEL}" else Build.HARDWARE
        return "${Build.MANUFACTURER} ${Build.MODEL} ($chip)"
    }

    private fun version(): String = context.packageManager.getPackageInfo(context.packageName, 0).versionName ?: "unknown"
}
