// Pure Kotlin: the JVM's tests run here exactly what the phone runs.
plugins {
    alias(libs.plugins.kotlin.jvm)
}

kotlin {
    jvmToolchain(17)
}

dependencies {
    implementation(libs.kotlinx.serialization.json)
    testImplementation(libs.junit)
}

tasks.test {
    systemProperty("repo", rootDir.resolve("..").path)
}
