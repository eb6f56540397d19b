import org.jetbrains.kotlin.gradle.dsl.JvmTarget

// Pure Kotlin: the tests on the JVM run exactly what the phone runs.
plugins {
    alias(libs.plugins.kotlin.jvm)
}

// Java 8's classes alone, as in pom.xml: Android 8 has no more.
kotlin {
    compilerOptions {
        jvmTarget.set(JvmTarget.JVM_1_8)
        freeCompilerArgs.add("-Xjdk-release=8")
        allWarningsAsErrors.set(true)
    }
}

tasks.withType<JavaCompile>().configureEach {
    options.release.set(8)
}

dependencies {
    implementation(libs.kotlinx.serialization.json)
    testImplementation(libs.junit)
}

tasks.test {
    useJUnit()
    systemProperty("repo", rootDir.resolve("..").path)
}
