import org.jetbrains.kotlin.gradle.dsl.JvmTarget

// TensorFlow Lite through org.bytedeco: the same class on the JVM of the tests and on the phone.
plugins {
    alias(libs.plugins.kotlin.jvm)
}

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

val host = "linux-x86_64" // or linux-arm64, macosx-arm64, macosx-x86_64: the machine that runs the tests

dependencies {
    api(project(":core"))
    implementation(libs.tflite)
    implementation(libs.javacpp)
    testImplementation(libs.junit)
    testRuntimeOnly(variantOf(libs.tflite) { classifier(host) })
    testRuntimeOnly(variantOf(libs.javacpp) { classifier(host) })
}

tasks.test {
    useJUnit()
    systemProperty("repo", rootDir.resolve("..").path)
    systemProperty("org.bytedeco.javacpp.cachedir", layout.buildDirectory.dir("javacpp").get().asFile.path)
}
