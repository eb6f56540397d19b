plugins {
    alias(libs.plugins.android.application)
}

val assets = layout.buildDirectory.dir("edge-facenet-assets")

// The released models and the face models of `edge-facenet setup`, with the sha256 of each. Others: -Pmodel=PATH,PATH
val collectAssets by tasks.registering(Exec::class) {
    val python = providers.gradleProperty("python").orElse(rootDir.resolve("../.venv/bin/python").path)
    val model = providers.gradleProperty("model")
    commandLine(buildList {
        add(python.get())
        add(rootDir.resolve("tools/assets.py").path)
        add(assets.get().asFile.path)
        model.orNull?.split(",")?.forEach { addAll(listOf("--model", rootDir.resolve(it).path)) }
    })
    outputs.dir(assets)
    outputs.upToDateWhen { false } // the script looks for itself, and leaves alone what is right
}

// What the tests work with, whichever model the app is to carry: the released ones.
val testAssets = layout.buildDirectory.dir("edge-facenet-test-assets")
val collectTestAssets by tasks.registering(Exec::class) {
    val python = providers.gradleProperty("python").orElse(rootDir.resolve("../.venv/bin/python").path)
    commandLine(python.get(), rootDir.resolve("tools/assets.py").path, testAssets.get().asFile.path)
    outputs.dir(testAssets)
    outputs.upToDateWhen { false }
}

android {
    namespace = "org.edgefacenet.app"
    compileSdk = 35
    defaultConfig {
        minSdk = 26
        targetSdk = 35
        versionCode = 1
        versionName = "0.1.0"
        ndk {
            abiFilters += listOf("arm64-v8a", "x86_64")
        }
    }
    // cpu: org.bytedeco alone, ready for 16 KB pages. gpu: org.tensorflow.lite and its GPU delegate beside it.
    flavorDimensions += "engine"
    productFlavors {
        create("cpu") { dimension = "engine" }
        create("gpu") { dimension = "engine" }
    }
    buildTypes {
        release {
            isMinifyEnabled = true
            proguardFiles(getDefaultProguardFile("proguard-android-optimize.txt"), "proguard-rules.pro")
        }
    }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_1_8
        targetCompatibility = JavaVersion.VERSION_1_8
    }
    sourceSets.getByName("main").assets.srcDir(assets)
    androidResources {
        noCompress += "tflite"
    }
    packaging {
        jniLibs {
            useLegacyPackaging = false // stored and aligned: Android maps them out of the APK
        }
        resources {
            // Without them JavaCPP asks Android for its libraries instead of unpacking a copy of each.
            excludes += listOf("org/bytedeco/**/*.properties", "META-INF/native-image/**", "META-INF/maven/**", "lib/**")
        }
    }
    testOptions {
        unitTests.isIncludeAndroidResources = true
        unitTests.all { test ->
            test.systemProperty("repo", rootDir.resolve("..").path)
            test.dependsOn(collectTestAssets)
            test.systemProperty("assets", testAssets.get().asFile.path)
            test.systemProperty("pictures", providers.gradleProperty("pictures").getOrElse(""))
            test.systemProperty("shots", layout.buildDirectory.dir("shots").get().asFile.path)
            test.systemProperty("robolectric.graphicsMode", "NATIVE")
            test.maxHeapSize = "2g"
        }
    }
}

tasks.named("preBuild") {
    dependsOn(collectAssets)
}

// The libraries lie in jars as lib/ABI/*.so, where Gradle takes them for resources; here they become what they are.
val android64 by configurations.creating { isTransitive = false }
val unpackLibraries by tasks.registering(Sync::class) {
    from({ android64.map { zipTree(it) } }) { include("lib/*/*.so") }
    eachFile { path = path.removePrefix("lib/") }
    includeEmptyDirs = false
    into(layout.buildDirectory.dir("edge-facenet-libraries"))
}
android.sourceSets.getByName("main").jniLibs.srcDir(layout.buildDirectory.dir("edge-facenet-libraries"))
tasks.named("preBuild") {
    dependsOn(unpackLibraries)
}

dependencies {
    implementation(project(":core"))
    implementation(project(":engine"))
    "gpuImplementation"(project(":engine-gpu"))
    for (abi in listOf("android-arm64", "android-x86_64")) {
        android64(variantOf(libs.tflite) { classifier(abi) })
        android64(variantOf(libs.javacpp) { classifier(abi) })
    }
    testImplementation(libs.junit)
    testImplementation(libs.robolectric)
    testImplementation(libs.test.monitor)
    testRuntimeOnly(variantOf(libs.tflite) { classifier("linux-x86_64") })
    testRuntimeOnly(variantOf(libs.javacpp) { classifier("linux-x86_64") })
}
